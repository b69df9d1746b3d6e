#!/bin/sh
# Makes the two images that nearly all conformance tests run, from Debian's packages and upstream's own
# test program, as archives that containerd imports: images.sh DIRECTORY PROGRAM VERSIONS...
# Each of VERSIONS is a full reference; those of busybox get Debian's busybox, all others the program.
set -eu
directory=$1 program=$2
shift 2
mkdir -p "$directory"
root="$directory/root"
if [ ! -e "$root/agnhost" ]; then
    rm -rf "$root"
    sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null)
    mirror=$(printf '%s\n' "$sources" | sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' | head -1)
    . /etc/os-release
    debootstrap --variant=minbase \
        --include=bind9-dnsutils,busybox-static,ca-certificates,curl,iperf,iproute2,netcat-openbsd,procps \
        "$VERSION_CODENAME" "$root" "$mirror" >&2
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc
    install -m 755 "$program" "$root/agnhost"
fi
small="$directory/small"
if [ ! -e "$small/bin/busybox" ]; then
    mkdir -p "$small/bin" "$small/etc" "$small/tmp" "$small/root"
    chmod 1777 "$small/tmp"
    cp "$root/bin/busybox" "$small/bin/busybox"
    "$small/bin/busybox" --list | while read -r name; do
        [ "$name" = busybox ] || ln -sf busybox "$small/bin/$name"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$small/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$small/etc/group"
fi
pack() { # REFERENCE ROOT ENTRYPOINT
    work=$(mktemp -d "$directory/pack.XXXXXX")
    tar -C "$2" --numeric-owner --sort=name --mtime=@0 -cf "$work/layer.tar" .
    sum=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
    printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$3" "$sum" >"$work/config.json"
    printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$1" >"$work/manifest.json"
    name=$(printf '%s' "$1" | tr '/:' '--')
    tar -C "$work" -cf "$directory/$name.tar" manifest.json config.json layer.tar
    rm -rf "$work"
    printf '%s\n' "$directory/$name.tar"
}
for reference in "$@"; do
    case $reference in
    *busybox*) pack "$reference" "$small" '"Cmd":["sh"]' ;;
    *) pack "$reference" "$root" '"Entrypoint":["/agnhost"],"Cmd":["pause"]' ;;
    esac
done
