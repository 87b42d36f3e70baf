#!/usr/bin/env bash
# The preview for other launchers, from the board and from the command line; the editor and the history of a field.
#   bash Tests/EndToEnd/launch.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
printf 'Previews, the editor, earlier values\n'

copy_demo

# By command
"$program" train recipes/quickstart.yaml --preview slurm --machines 4 --gpus 2 >"$work/slurm.sh"
expect "a Slurm script for four machines" grep -q '^#SBATCH --nodes=4$' "$work/slurm.sh"
expect "that a shell can read" bash -n "$work/slurm.sh"
expect "LLaMA-Factory's own command" grep -q '^llamafactory-cli train --do_train True ' <("$program" train recipes/quickstart.yaml --preview llamafactory)
"$program" train recipes/quickstart.yaml --preview nonsense >/dev/null 2>"$work/problem"
expect "an unknown style is a mistake in usage" [ $? -eq 2 ]
expect "and the styles are named" grep -q 'torchrun-zero3' "$work/problem"

# An editor that changes one line.
printf '#!/bin/sh\nsed -i "s/^lora_rank: .*/lora_rank: 4/; s/^learning_rate: .*/learning_rate: fast/" "$1"\n' >"$work/change"
printf '#!/bin/sh\nsed -i "s/^learning_rate: .*/learning_rate: 0.002/" "$1"\n' >"$work/mend"
printf '#!/bin/sh\n[ -e "%s/tried" ] && exec "%s/mend" "$1"\ntouch "%s/tried"\nexec "%s/change" "$1"\n' "$work" "$work" "$work" "$work" >"$work/editor"
chmod +x "$work"/{change,mend,editor}

open_board() {
    open_terminal 100 30 "cd '$work' && env TUNEBOARD_IDLE_FILE='$idle_file' EDITOR='$work/editor' '$program'; echo left with \$?; exec cat"
    tmux -L "$tmux_socket" set-option -s set-clipboard on
    await 'ready: F5 starts'
}
open_board
tap v
await 'a style'
tap a a a a a a
expect "the preview walks through the styles" await 'ZeRO-3  2 x 8 GPUs'
tap + '>'
expect "machines and GPUs are changed by keys" await 'ZeRO-3  3 x 16 GPUs'
tap Y
await 'Write it to'
tap Enter
expect "it is written to a file" await 'Wrote quickstart.sh'
expect "that starts torchrun" grep -q 'torchrun' "$work/quickstart.sh"
tap Y Enter
expect "a file that is there is not lost" await 'Replace the file'
tap c
await_gone 'Replace the file'
tap y
await 'opied'
expect "it is copied through the terminal" bash -c "tmux -L '$tmux_socket' show-buffer | grep -q 'deepspeed: launch/quickstart.zero3.json'"
tap q

press C-e
expect "mistakes made in the editor are named" await 'mistakes'
press e
expect "and mended in a second round" await 'Took the edited settings'
tap /
type_text learning_rate
await '/learning_rate'
tap Enter
expect "the value came in" await 'learning_rate +0.002'
tap e C-u
type_text 0.003
tap Enter
await 'learning_rate +0.003'
tap Escape
press q
await 'left with 0'

# Another session knows the value.
open_board
tap /
type_text learning_rate
await '/learning_rate'
tap Enter H
expect "earlier values are remembered over sessions" await '0.003'
tap Escape Escape
press q
expect "the board ends with 0" await 'left with 0'
finish_story
