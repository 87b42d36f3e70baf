#!/usr/bin/env bash
# Builds a folder that runs on a machine with nothing but NVIDIA's driver and a CUDA runtime (NVRTC and cuBLASLt, also from PyTorch's
# wheels): the two programs without debug information and with the Swift runtime inside, the libraries that they are linked to, and
# the measurements.
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
mkdir -p "$target/lib" "$target/bin"
for product in tuneboard tuneboard-bench; do
    strip -o "$target/bin/$product" "$scratch/release/$product"
    # Everything but the C library itself, which must be the machine's own.
    ldd "$scratch/release/$product" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' \
        | grep -vE '/(libc|libm|libdl|libpthread|librt|libresolv|ld-linux[^/]*)\.so' \
        | while read -r library; do cp -nL "$library" "$target/lib/"; done
    cat > "$target/$product" <<LAUNCH
#!/usr/bin/env bash
here=\$(cd "\$(dirname "\${BASH_SOURCE[0]}")" && pwd)
LD_LIBRARY_PATH="\$here/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "\$here/bin/$product" "\$@"
LAUNCH
    chmod +x "$target/$product"
done
strip --strip-unneeded "$target"/lib/*.so* 2>/dev/null || true
cp -r themes recipes "$target/"
cp Tests/GPU/first_minutes.sh Tests/GPU/peer.py "$target/"
bytes=$(du -sb "$target" | cut -f1)
echo "$target: $((bytes / 1000000)) MB"
[ "$bytes" -lt 60000000 ] || echo "more than 60 MB"
# With nothing of this machine but its C library.
env -i PATH=/usr/bin:/bin HOME="$target" bash "$target/tuneboard" env > /dev/null && echo "starts with an empty environment"
env -i PATH=/usr/bin:/bin HOME="$target" bash "$target/tuneboard-bench" train --device cpu --layers 1 --hidden 64 --ff 128 --heads 1 --kv-heads 1 \
    --vocabulary 256 --batch 1 --length 16 --steps 1 --warmup 0 > /dev/null && echo "trains with an empty environment"
