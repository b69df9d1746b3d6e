#!/bin/sh
# Makes the images that nearly all conformance tests run, from Debian's packages and upstream's own test
# program, as two archives that containerd imports: images.sh DIRECTORY PROGRAM REFERENCES...
# Those of busybox get Debian's busybox; all others share one Debian with all that their tests call.
set -eu
program=$2
# What is there of another program, or made by another script, is not used.
directory="$1-$(cat "$0" "$program" | sha256sum | cut -c 1-16)"
shift 2
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
    tools=bash-static,bind9-dnsutils,busybox-static,ca-certificates,curl,iperf,iproute2,netcat-openbsd,procps
    debootstrap --variant=minbase --include="$tools,apache2,nginx-light" "$VERSION_CODENAME" "$root" "$mirror" >&2
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc
    # The shells of upstream's images pass on variables that are no names of theirs, as bash does.
    ln -sf bash-static "$root/bin/sh"
    mkdir -p "$root/usr/local/apache2"
    ln -s /var/www/html "$root/usr/local/apache2/htdocs"
    install -m 755 "$program" "$root/agnhost"
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
    *) echo '"Cmd":["sh"]' ;;
    esac
}
pack() { # ROOT NAME REFERENCES...
    from=$1 archive="$directory/$2.tar"
    shift 2
    work=$(mktemp -d "$directory/pack.XXXXXX")
    tar -C "$from" --numeric-owner --sort=name --mtime=@0 -cf "$work/layer.tar" .
    sum=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
    number=0
    for reference in "$@"; do
        number=$((number + 1))
        printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
            "$(starts "$reference")" "$sum" >"$work/config-$number.json"
        [ "$number" = 1 ] || printf ','
        printf '{"Config":"config-%s.json","RepoTags":["%s"],"Layers":["layer.tar"]}' "$number" "$reference"
    done >"$work/images"
    printf '[%s]' "$(cat "$work/images")" >"$work/manifest.json"
    tar -C "$work" --exclude=./images -cf "$archive" .
    rm -rf "$work"
    printf '%s\n' "$archive"
}
# References have no spaces.
pack "$small" busybox $(printf '%s\n' "$@" | grep '/busybox:')
pack "$root" debian $(printf '%s\n' "$@" | grep -v '/busybox:')
