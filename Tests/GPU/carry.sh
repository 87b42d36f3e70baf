#!/usr/bin/env bash
# Builds a folder that runs on a machine with nothing but NVIDIA's driver and a CUDA runtime (NVRTC and cuBLASLt, also from PyTorch's
# wheels): the two programs without debug information and with the Swift runtime inside, the libraries that they are linked to, and
# the measurements. Programs and libraries are packed, 30 MB instead of 80, and unpack themselves at the first start. Without a card
# they compute on the processor and say so.
#
#     bash Tests/GPU/carry.sh [FOLDER]          then, over there:          bash FOLDER/first_minutes.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${1:-saves/carried}
scratch=.build/static
for product in tuneboard tuneboard-bench; do
    swift build -c release --static-swift-stdlib --scratch-path "$scratch" --product "$product"
done
rm -rf "$target"
mkdir -p "$target"
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
mkdir -p "$parts/lib" "$parts/bin"
for product in tuneboard tuneboard-bench; do
    strip -o "$parts/bin/$product" "$scratch/release/$product"
    # Everything but the C library itself, which must be the machine's own.
    ldd "$scratch/release/$product" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' \
        | grep -vE '/(libc|libm|libdl|libpthread|librt|libresolv|ld-linux[^/]*)\.so' \
        | while read -r library; do cp -nL "$library" "$parts/lib/"; done
done
strip --strip-unneeded "$parts"/lib/*.so* 2>/dev/null || true
tar -C "$parts" -c bin lib | gzip -6 > "$target/program.tar.gz"
stamp=$(sha256sum "$target/program.tar.gz" | cut -c1-12)
for product in tuneboard tuneboard-bench; do
    cat > "$target/$product" <<LAUNCH
#!/usr/bin/env bash
# Unpacks the programs at the first start, beside this file or, where that cannot be written, in the user's cache folder.
here=\$(cd "\$(dirname "\${BASH_SOURCE[0]}")" && pwd)
for home in "\$here" "\${XDG_CACHE_HOME:-\${HOME:-/tmp}/.cache}/tuneboard"; do
    program="\$home/program-$stamp"
    [ -x "\$program/bin/$product" ] && break
    mkdir -p "\$home" 2>/dev/null && part=\$(mktemp -d "\$home/unpacking.XXXXXX" 2>/dev/null) || continue
    # Another start may have been quicker.
    tar -xzf "\$here/program.tar.gz" -C "\$part" && mv -T "\$part" "\$program" 2>/dev/null || rm -rf "\$part"
    [ -x "\$program/bin/$product" ] && break
done
[ -x "\$program/bin/$product" ] || { echo "$product: 90 MB are wanted in \$here or \$home, and there is no room or no permission." >&2; exit 1; }
LD_LIBRARY_PATH="\$program/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "\$program/bin/$product" "\$@"
LAUNCH
    chmod +x "$target/$product"
done
cp -r themes recipes "$target/"
cp Tests/GPU/first_minutes.sh Tests/GPU/peer.py "$target/"
bytes=$(du -sb "$target" | cut -f1)
echo "$target: $((bytes / 1000000)) MB"
[ "$bytes" -lt 60000000 ] || { echo "more than 60 MB"; exit 1; }
# With nothing of this machine but its C library.
env -i PATH=/usr/bin:/bin HOME="$target" bash "$target/tuneboard" env > /dev/null && echo "starts with an empty environment"
env -i PATH=/usr/bin:/bin HOME="$target" bash "$target/tuneboard-bench" train --device cpu --layers 1 --hidden 64 --ff 128 --heads 1 --kv-heads 1 \
    --vocabulary 256 --batch 1 --length 16 --steps 1 --warmup 0 > /dev/null && echo "trains with an empty environment"
# What was unpacked for these two is not carried.
rm -rf "$target/program-$stamp"
