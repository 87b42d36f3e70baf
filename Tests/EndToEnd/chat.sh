#!/usr/bin/env bash
# The chat beyond question and answer, and talking to a model while it is trained.
#   bash Tests/EndToEnd/chat.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"

copy_demo
sed -e 's#^output_dir:.*#output_dir: saves/adapter#' -e 's/^num_train_epochs:.*/num_train_epochs: 2/' recipes/quickstart.yaml > "$work/recipes/short.yaml"
(cd "$work" && "$program" train recipes/short.yaml >/dev/null 2>&1)

open_board() {
    open_terminal "$1" "$2" \
        "cd '$work' && '$program' --recipe recipes/short.yaml; echo left with \$?; exec cat"
    tmux -L "$tmux_socket" set-option -s set-clipboard on
    await '1 Train'
}
leave() { press q; await 'left with 0'; }
loaded() { press 3; await 'F5 loads'; press F5; await 'Type a message' 30; }

printf 'Adapter and base side by side\n'
open_board 100 30
loaded
press M-b
await 'B  base model'
type_text 'Who are you?'
press Enter
expect 'both answer' await 'tok/s .*Assistant  base +[0-9]+ tok' 30
# The heading of the half-wide side has no room for "streaming".
await 'Type a message' 30
expect 'the adapter names itself, the base does not' bash -c '[ "$(grep -c "Who are you" <<<"$1")" -ge 1 ]' _ "$(screen)"
press M-b
await 'The adapter alone'

printf 'A message written anew, code copied, a conversation kept\n'
press M-e
await 'Message, written anew'
press C-u
type_text 'Say hello'
press Enter
await_gone 'streaming' 30
expect 'the old question is gone' await_gone 'Who are you'
press C-s
await 'Save the conversation as'
press C-u
type_text "$work/kept.json"
press Enter
expect 'the file is written' await 'Wrote .*kept.json'
expect 'it holds the messages' grep -q 'Say hello' "$work/kept.json"
press M-t
await 'Tools, as a JSON list'
type_text '[{"name": 3}'
expect 'tools are checked while one types' await '✗'
press Escape
await_gone 'Tools, as a JSON'
press Escape
await 'i write|⏎ write'
leave

printf 'Hostile text stays text\n'
printf '{"messages": [{"role": "user", "content": "\\u001b[2J\\u001b]0;owned\\u0007red"}, {"role": "assistant", "content": "\\u202egnp.exe \\u001b[31mALERT\\u001b[0m **bold** \\u0000\\u0008"}]}' > "$work/hostile.json"
mkdir -p "$work/state/tuneboard/conversations"
cp "$work/hostile.json" "$work/state/tuneboard/conversations/"
open_board 80 24
loaded
press M-o
await 'hostile'
press Enter
expect 'it shows without its escapes' await 'gnp.exe ALERT bold'
expect 'the title of the terminal is untouched' [ "$(tmux -L "$tmux_socket" display-message -p '#{pane_title}')" != owned ]
press Escape
await '⏎ write'
leave

printf 'Talking to a model while it is trained\n'
sed -e 's#^output_dir:.*#output_dir: saves/plain-run#' -e 's/^num_train_epochs:.*/num_train_epochs: 10/' recipes/quickstart.yaml > "$work/recipes/plain.yaml"
sed -e 's#^output_dir:.*#output_dir: saves/talked-run#' -e 's/^num_train_epochs:.*/num_train_epochs: 10/' recipes/quickstart.yaml > "$work/recipes/talked.yaml"
(cd "$work" && "$program" train recipes/plain.yaml >/dev/null 2>&1)
open_terminal 80 24 \
    "cd '$work' && env XDG_STATE_HOME='$work/state2' '$program' --recipe recipes/talked.yaml; echo left with \$?; exec cat"
await 'F5 starts'
press F5
await 'step [0-9]+/140' 30
press t
expect 'the training holds and its weights answer' await 'step [0-9]+ on demo-model' 30
type_text 'Who are you?'
press Enter
await 'Assistant  +[0-9]+ tok' 30
press C-t
await 'Adapter off'
press C-r
expect 'the base answers the same question' await 'Assistant  base +[0-9]+ tok' 30
expect "under the adapter's answer" await 'Assistant  adapter +[0-9]+ tok'
press C-d
expect 'it goes on' await '\[5 Monitor\]' 30
expect 'and says so' await_gone 'paused' 30
await '▏ +finished' 90
press q
await 'left with 0'
losses() { sed -n 's/.*"loss": \([0-9.e-]*\).*/\1/p' "$work/saves/$1/trainer_log.jsonl"; }
expect 'the losses are those of a run that was left alone' [ "$(losses plain-run)" = "$(losses talked-run)" ]
expect 'there were some' [ -n "$(losses talked-run)" ]

finish_story
