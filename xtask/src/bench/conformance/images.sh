#!/bin/sh
# Makes the images that nearly all conformance tests run, from Debian's packages and upstream's own test
# programs, as two archives that containerd imports:
# images.sh DIRECTORY AGNHOST NNP SOURCES REFERENCES...
# Those of busybox get Debian's busybox; all others share one Debian with all that their tests call. SOURCES is
# where upstream's module has what its images hold besides programs.
set -eu
program=$2 nnp=$3 sources=$4
# What is there of other programs, or made by another script, is not used.
directory="$1-$(cat "$0" "$program" "$nnp" | sha256sum | cut -c 1-16)"
shift 4
mkdir -p "$directory"
final="$directory/root" root="$directory/root.partial"
if [ ! -e "$final" ]; then
    rm -rf "$root"
    . /etc/os-release
    # Apt says where the machine's own packages come from, once it has their lists.
    mirrors() {
        apt-get indextargets --format '$(REPO_URI)' \
            'Created-By: Packages' "Release: $VERSION_CODENAME" 'Component: main'
    }
    [ -n "$(mirrors)" ] || apt-get -qq update >&2
    mirror=$(mirrors | head -1)
    if [ -z "$mirror" ]; then
        echo "apt knows no mirror of $VERSION_CODENAME" >&2
        exit 1
    fi
    tools=bash-static,bind9-dnsutils,busybox-static,ca-certificates,curl,iperf,iproute2,netcat-openbsd,procps,socat
    debootstrap --variant=minbase --include="$tools,apache2,nginx-light" "$VERSION_CODENAME" "$root" "$mirror" >&2
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc
    # The shells of upstream's images pass on variables that are no names of theirs, as bash does.
    ln -sf bash-static "$root/bin/sh"
    mkdir -p "$root/usr/local/apache2"
    ln -s /var/www/html "$root/usr/local/apache2/htdocs"
    install -m 755 "$program" "$root/agnhost"
    ln -s agnhost "$root/agnhost-2"
    install -m 644 "$sources/agnhost/porter/localhost.crt" "$sources/agnhost/porter/localhost.key" "$root/"
    mkdir "$root/uploads"
    ln -s /usr/bin/iperf "$root/usr/local/bin/iperf"
    echo 'user-defined-in-image:x:1000:1000::/home:/bin/sh' >>"$root/etc/passwd"
    echo 'user-defined-in-image:x:1000:' >>"$root/etc/group"
    echo 'group-defined-in-image:x:50000:user-defined-in-image' >>"$root/etc/group"
    # Tests see by it whether a process can gain rights.
    install -m 6755 "$nnp" "$root/usr/local/bin/nnp"
    mv "$root" "$final"
fi
root=$final
small="$directory/small"
if [ ! -e "$small/etc/group" ]; then
    rm -rf "$small"
    mkdir -p "$small/bin" "$small/etc" "$small/tmp" "$small/root"
    chmod 1777 "$small/tmp"
    cp "$root/bin/busybox" "$small/bin/busybox"
    "$small/bin/busybox" --list | while read -r name; do
        [ "$name" = busybox ] || ln -sf busybox "$small/bin/$name"
    done
    rm "$small/bin/sh"
    cp "$root/bin/bash-static" "$small/bin/sh"
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$small/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$small/etc/group"
fi
starts() { # REFERENCE
    case $1 in
    */agnhost:*) echo '"Entrypoint":["/agnhost"],"Cmd":["pause"]' ;;
    */nginx:*) echo '"Cmd":["nginx","-g","daemon off;"]' ;;
    */httpd:*) echo '"Cmd":["apache2ctl","-D","FOREGROUND"]' ;;
    */kitten:* | */nautilus:*) echo '"Entrypoint":["/agnhost"],"Cmd":["test-webserver"]' ;;
    */nonewprivs:*) echo '"Cmd":["nnp"]' ;;
    */nonroot:*) echo '"User":"1234","Cmd":["sh"]' ;;
    *) echo '"Cmd":["sh"]' ;;
    esac
}
layer() { # ROOT NAME, in the archive's directory
    tar -C "$1" --numeric-owner --mode=u+w --sort=name --mtime=@0 -cf "$work/$2" .
    sha256sum "$work/$2" | cut -d' ' -f1
}
pack() { # ROOT NAME REFERENCES...
    from=$1 archive="$directory/$2.tar"
    shift 2
    work=$(mktemp -d "$directory/pack.XXXXXX")
    base=$(layer "$from" layer.tar)
    number=0
    for reference in "$@"; do
        number=$((number + 1))
        name=${reference##*/} sums="\"sha256:$base\"" layers='"layer.tar"'
        name=${name%%:*}
        case $name in
        kitten | nautilus) # a picture, and a file that names it
            sums="$sums,\"sha256:$(layer "$sources/$name/html" "$name.tar")\""
            layers="$layers,\"$name.tar\""
            ;;
        esac
        printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],%s},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
            "$(starts "$reference")" "$sums" >"$work/config-$number.json"
        [ "$number" = 1 ] || printf ','
        printf '{"Config":"config-%s.json","RepoTags":["%s"],"Layers":[%s]}' "$number" "$reference" "$layers"
    done >"$work/images"
    printf '[%s]' "$(cat "$work/images")" >"$work/manifest.json"
    tar -C "$work" --exclude=./images -cf "$archive" .
    rm -rf "$work"
    printf '%s\n' "$archive"
}
# References have no spaces.
pack "$small" busybox $(printf '%s\n' "$@" | grep '/busybox:')
pack "$root" debian $(printf '%s\n' "$@" | grep -v '/busybox:')
