#!/usr/bin/env bash
# The whole way in the board at 80x24, by keys alone: change the learning rate, preview, start, watch, stop and save, chat with
# the adapter and without it, export, quit, find the run again. Then the previewed command in a shell gives the same losses.
#   bash Tests/EndToEnd/board.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
printf 'A first hour in the board\n'

copy_demo
mkdir -p "$work/bin"
ln -s "$program" "$work/bin/tuneboard"

# open_board COLUMNS ROWS [VARIABLE=VALUE...]: the board in the private copy; its exit code shows when it is left.
open_board() {
    local columns=$1 rows=$2
    shift 2
    open_terminal "$columns" "$rows" "cd '$work' && env $* bin/tuneboard; echo left with \$?; exec cat"
    # What the program copies lands in tmux's buffer.
    tmux -L "$tmux_socket" set-option -s set-clipboard on
    await '1 Train'
}

# As expect, but what follows makes no sense after a failure.
step() {
    expect "$@"
    [ "$story_failures" -eq 0 ] || exit 1
}

shown_step() { screen | sed -n 's/^ step \([0-9][0-9]*\)\/.*/\1/p'; }
shown_loss() { screen | sed -n 's/.*│ loss \([0-9.][0-9.]*\) .*/\1/p'; }
# The lines with braille dots in them, byte by byte, for grep knows no order among them.
curve() { screen | LC_ALL=C grep $'\xe2[\xa0-\xa3]'; }

# await_step STEP: until the Monitor shows that step or a later one.
await_step() {
    local deadline=$((SECONDS + 30))
    until [ "$(shown_step || true)" ] && [ "$(shown_step)" -ge "$1" ]; do
        [ "$SECONDS" -lt "$deadline" ] || { await "step $1/" 1; return 1; }
        sleep 0.05
    done
}

# The answers on the screen to the last question: everything from its text on.
last_answer() { screen | awk -v question="$1" 'index($0, question) { text = ""; found = 1 } found { text = text $0 "\n" } END { print text }'; }
differs() { [ -n "$1" ] && [ -n "$2" ] && [ "$1" != "$2" ]; }
names_tuneboard() { grep -q 'Tuneboard' <<<"$1"; }
does_not_name_tuneboard() { ! names_tuneboard "$1"; }

# set_field NAME VALUE LABEL SHOWN: finds the field, types the value, sees it shown, and goes back to the whole form.
set_field() {
    press /
    type_text "$1"
    await "/$1 .* [0-9]+ field"
    await "▶ +$3 "
    press Enter
    await "find  F5 start"
    press Enter
    await '⏎ accept'
    press C-u
    type_text "$2"
    press Enter
    await "▶ +$3 +$4 +● was"
    press Escape
    await_gone "/$1 "
}

open_board 80 24
step 'the demo is ready to start' await 'ready: F5 starts'
set_field learning_rate 1.2e-3 learning_rate 0.0012
set_field num_train_epochs 20 epochs 20
press v
step 'the preview shows the new learning rate' await 'learning_rate 0.0012'
press y
await 'opied'
previewed=$(tmux -L "$tmux_socket" show-buffer)
step 'the copied command has the new learning rate' grep -q -- '--learning_rate 0.0012' <<<"$previewed"
press Escape
await_gone '━ Preview'

press F5
step 'training shows in the Monitor' await '\[5 Monitor\]'
await_step 10
early_step=$(shown_step)
early_loss=$(shown_loss)
early_curve=$(curve)
press 1
step 'Train while it trains' await '\[1 Train\].*● quickstart +[0-9]+%'
press 3
step 'Chat while it trains' await '\[3 Chat\].*● quickstart +[0-9]+%'
press 5
await '\[5 Monitor\]'
await_step 70
step 'the curve is drawn' test "$(curve | wc -l)" -ge 4
step 'the curve has grown' differs "$(curve)" "$early_curve"
step 'the loss has changed' differs "$(shown_loss)" "$early_loss"
step 'the steps go on' test "$(shown_step)" -gt "$early_step"
press x
step 'it stops and saves' await 'stopped, saved'
stopped_step=$(shown_step)

press 3
await '\[3 Chat\]'
# The likeliest answer, the same on every machine.
press /
type_text do_sample
await '▶ +do_sample'
press Enter
await 'find  F5 load model'
press Space
await 'do_sample +\[ \]'
press F5
step 'the adapter is loaded for the chat' await 'Loaded demo-model with quickstart' 30
type_text 'Who are you?'
press Enter
step 'the adapter answers' await 'Assistant .*tok/s' 30
step 'it says that it is Tuneboard' names_tuneboard "$(last_answer 'Who are you?')"
type_text '你是谁？'
await '你是谁？'
press Enter
step 'it takes Chinese' await '^. User' 5
step 'and answers it' await 'Tuneboard.*[。！]' 30
press C-t
step 'the adapter is off' await 'quickstart off'
# What was said before is in the model's context, so the base model gets a fresh conversation.
press C-k
await 'Clear'
press c
await 'Write a message below'
type_text 'Who are you?'
press Enter
step 'the base model answers' await 'Assistant .*tok/s' 30
step 'it does not know that name' does_not_name_tuneboard "$(last_answer 'Who are you?')"

press M-4
await '\[4 Export\]'
press F5
step 'the export ends' await 'exported [0-9.]+ (K|M)iB' 30
step 'the merged model is there' test -s "$work/saves/demo-model/merged/model.safetensors"
press q
step 'the board is left with 0' await 'left with 0'

open_board 80 24
press 5
step 'the run is in the list' await 'demo-model/lora/quickstart +stopped +'"$stopped_step"'/'
press Enter
step 'and opens' await "step $stopped_step/.*stopped"
press q
await 'left with 0'

# The same losses from the previewed command
losses() { sed -n 's/.*"loss": \([^,]*\), "lr": \([^,]*\),.*/\1 \2/p' "$work/saves/demo-model/lora/$1/trainer_log.jsonl"; }
follow_the_preview() {
    cd "$work" || return 1
    PATH="$work/bin:$PATH"
    eval "$previewed --output_dir saves/demo-model/lora/shell"
}
(follow_the_preview) >"$work/shell.txt" 2>&1 </dev/null &
deadline=$((SECONDS + 60))
until [ "$(losses shell 2>/dev/null | wc -l)" -ge "$stopped_step" ] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.05; done
(cd "$work" && bin/tuneboard runs stop saves/demo-model/lora/shell >/dev/null)
wait $!
step "the shell logs the board's losses, digit for digit" \
    diff <(losses quickstart) <(losses shell | head -n "$(losses quickstart | wc -l)")
step 'all of them' test "$(losses quickstart | wc -l)" -eq "$stopped_step"

finish_story
