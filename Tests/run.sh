#!/usr/bin/env bash
# Everything that can be checked on a fresh Debian machine with Swift: installs, builds, unit tests, then the real program
# on the command line and in a terminal.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. recipes/setup/prepare.sh

require_swift
install_packages "${build_packages[@]}" tmux
# NVRTC compiles the CUDA kernels for every kind of card, without one. Building and running need none of it.
if [[ $(apt-cache policy libnvrtc11.2 2>/dev/null || true) == *'Candidate: '[0-9]* ]]; then
    install_packages libnvrtc11.2 libnvrtc-builtins11.8
else
    say "NOTE: apt has no libnvrtc11.2 (Debian keeps it in contrib and non-free): the CUDA kernels are not compiled by these tests"
fi

say "== Unit tests"
swift build --build-tests 2>&1 | grep -E 'error|warning: var|Build complete' || fail "the build failed; see: swift build --build-tests"
swift test --skip-build

say "== The program"
swift build -c release 2>&1 | grep -E 'error|Build complete' || fail "the release build failed; see: swift build -c release"
passed=0
failed=0
for story in Tests/EndToEnd/*.sh; do
    if bash "$story" .build/release/tuneboard; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        say "FAILED: $story"
    fi
done
say "end-to-end: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
