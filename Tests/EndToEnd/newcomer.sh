#!/usr/bin/env bash
# Somebody who has never seen the board, going by the footer and the help alone: starts, zooms, looks for help in a list, compares two
# runs, chats, exports as GGUF; and mistypes a path.
#   bash Tests/EndToEnd/newcomer.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"

copy_demo

# open_board COLUMNS ROWS
open_board() {
    open_terminal "$1" "$2" "cd '$work' && env TUNEBOARD_IDLE_FILE='$idle_file' '$program'; echo left with \$?; exec cat"
    await '1 Train'
}
footer() { screen | tail -n 1; }
# names WORD...: the footer has each of them.
names() {
    local word deadline
    for word in "$@"; do
        deadline=$((SECONDS + 10))
        until grep -qF -- "$word" <<<"$(footer)"; do
            [ "$SECONDS" -lt "$deadline" ] || { footer >&2; return 1; }
            sleep 0.05
        done
    done
}
step() {
    expect "$@"
    [ "$story_failures" -eq 0 ] || exit 1
}
# go_to WORDS FIELD: the palette leads to a field.
go_to() {
    press :
    await '━ Commands ━'
    type_text "$1"
    await "goes to $2"
    press Enter
    await_gone '━ Commands ━'
}
# fill VALUE: what is typed instead of the selected field's text.
fill() {
    press e
    await 'accept, next'
    press C-u
    type_text "$1"
    press Enter
    await_gone 'accept, next'
}

for size in '80 24' '60 16'; do
    read -r columns rows <<<"$size"
    printf 'The first hour of a newcomer at %sx%s\n' "$columns" "$rows"
    rm -rf "$work/saves/demo-model/lora" "$work/saves/demo-model/"{merged,gguf-*} "$work/state"
    open_board "$columns" "$rows"
    step 'the footer says how to start and where the runs are' names 'F5 start' 'R runs' '? help'

    # A wrong path leads back to its field and leaves nothing.
    go_to 'model name' model_name_or_path
    fill models/typo
    press F5
    step 'a wrong path is told' await '✗ .*models/typo'
    step 'on the page with the field' await '\[1 Train\]'
    step 'no folder is left' test ! -e "$work/saves/demo-model/lora"
    press u
    await 'saves/demo-model'

    go_to epochs num_train_epochs
    fill 300
    press F5
    await '\[5 Monitor\]'
    step 'the footer says how to zoom' names 'x stop' '+ zoom' 'R runs'
    await 'step [0-9][0-9]+/'
    press +
    step 'zooming works and its way back is named' await '0 all'
    press 0
    await_gone '0 all'
    press R
    await '[━ ]Runs[━ ]'
    press '?'
    step 'help opens over the list' await '━ Help ━'
    press Escape
    await_gone '━ Help ━'
    step 'and comes back to it' await '[━ ]Runs[━ ]'
    press Escape
    await_gone '━ Runs ━'
    press x
    step 'it stops and saves' await 'stopped, saved' 30

    press 1
    await '\[1 Train\]'
    press F5
    step 'a second start asks about the first' await 'quickstart is there already'
    step 'and names a free folder' await 'quickstart-2'
    press c
    await_gone 'is there already'
    step 'nothing is lost' test -s "$work/saves/demo-model/lora/quickstart/adapter_model.safetensors"

    go_to 'output dir' output_dir
    fill saves/demo-model/lora/second
    go_to 'lora rank' lora_rank
    fill 4
    go_to epochs num_train_epochs
    fill 2
    press F5
    step 'the second run finishes, and the footer says what comes next' await '3 chat  4 export' 60

    press R
    await '(lora/| )second +done'
    step 'the footer of the runs says how to compare' names '= compare'
    press =
    step 'two runs are compared' await 'Where the runs differ'
    step 'the rank is among the differences' await 'lora_rank +4 +16'
    press '?'
    step 'help opens there as well' await '━ Help ━'
    press Escape
    await_gone '━ Help ━'
    press Escape
    await_gone 'Where the runs differ'
    press Escape
    await_gone '━ Runs ━'

    press 3
    await '\[3 Chat\]'
    press F5
    step 'the adapter is loaded' await 'Loaded demo-model with second' 30
    step 'a message goes away by itself' await_gone 'Loaded demo-model' 20
    type_text 'Who are you?'
    press Enter
    step 'it answers' await 'Assistant .*tok/s' 30
    step 'Esc is named as the way out' names 'Esc leave'
    press Escape
    await '⏎ write'

    press 4
    await '\[4 Export\]'
    go_to gguf export_gguf
    press Right
    await 'export_gguf +‹ f32 ›|‹ f32 ›'
    press F5
    step 'the export ends' await 'exported [0-9.]+ (K|M)iB' 30
    step 'in a folder of its own' test -s "$work/saves/demo-model/gguf-f32/demo-model-F32.gguf"
    press q
    step 'the board is left' await 'left with 0'
done

finish_story
