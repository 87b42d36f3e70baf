#!/usr/bin/env bash
# Settings, themes, languages, keys of one's own, jump labels, what is remembered, and the plain mode.
#   bash Tests/EndToEnd/looks.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"

copy_demo
mkdir -p "$work/config/tuneboard/languages"

# open_board COLUMNS ROWS [VARIABLE=VALUE...]
open_board() {
    local columns=$1 rows=$2
    shift 2
    open_terminal "$columns" "$rows" \
        "cd '$work' && env $* '$program'; echo left with \$?; exec cat"
}
colours() { tmux -u -L "$tmux_socket" capture-pane -p -e | grep -c $'\x1b\[[0-9;]*[34]8;5;' || true; }
leave() { press q; await 'left with 0'; }
# Esc and a letter in one breath would be one key with Alt.
escape() { press Escape; await_gone "${1:-^.┏━ }"; }

printf 'A theme is chosen under one'"'"'s eyes and remembered\n'
open_board 80 24 TERM=screen-256color
await '1 Train'
expect 'the terminal'"'"'s own colours at first' [ "$(colours)" -eq 0 ]
press T
await '┏━ Themes'
type_text harbour
await '> harbour'
expect 'the theme is shown before it is taken' await 'harbour'
press Enter
await 'Theme: harbour'
expect '256 colours are on the screen' [ "$(colours)" -gt 0 ]
leave
open_board 80 24 TERM=screen-256color
await '1 Train'
expect 'it is there the next time' [ "$(colours)" -gt 0 ]
leave
open_board 80 24 TERM=screen-256color NO_COLOR=1
await '1 Train'
expect 'NO_COLOR wins' [ "$(colours)" -eq 0 ]
leave

printf 'The board speaks five languages\n'
rm -rf "$work/state"
open_board 80 24
await '1 Train'
for word in '1 训练' '1 Обучение' '1 학습' '1 学習' '1 Train'; do
    press M-l
    expect "$word" await "\\[$word\\]"
done
leave
open_board 60 16 LC_ALL=ja_JP.UTF-8 LANG=ja_JP.UTF-8
expect 'the locale decides at first' await '1 (学習|Train)'
leave

printf 'Keys, words and pages of one'"'"'s own; mistakes are told\n'
rm -rf "$work/state"
cat > "$work/config/tuneboard/board.conf" <<'CONF'
start_tab = monitor
them = dark
[keys]
board.help.page = ctrl+g
CONF
printf '"Help" = "Hilfe!"\nbroken\n' > "$work/config/tuneboard/languages/zh.lang"
open_board 80 24
expect 'it opens on the page that was asked for' await '\[5 Monitor\]'
expect 'the mistake is told with its line' await 'board.conf:2: unknown setting'
press C-g
expect 'the own key opens the help' await '┏━ Help'
escape '┏━ Help'
press M-l
expect 'a mistake in the language file is told' await 'zh.lang:2'
press C-g
expect 'the own word is used' await '┏━ Hilfe!'
escape '┏━ Hilfe!'
leave
rm -f "$work/config/tuneboard/board.conf" "$work/config/tuneboard/languages/zh.lang"

printf 'Labels to jump by, and fields that are remembered\n'
rm -rf "$work/state"
open_board 80 24
await '1 Train'
press '\;'
await 'Esc leave'
label=$(screen | sed -n 's/^┃* *│* *\([a-z]\)  template .*/\1/p')
press "$label"
expect 'the jump selects the field' await '▶ +template'
press /
type_text max_steps
await '/max_steps'
press Enter Enter
await 'accept'
press C-u
type_text 7
press Enter
await '▶ +max_steps +7'
escape '/max_steps'
leave
open_board 80 24
await '1 Train'
press /
type_text max_steps
await '/max_steps'
expect 'the field holds what was typed' await 'max_steps +7'
press Escape
await_gone '/max_steps'
leave

printf 'Rows of a dataset\n'
open_board 80 24
await '1 Train'
press P
expect 'the prompt with what carries loss' await 'carry loss' 20
press n
expect 'the next row' await 'row 2 of'
press Tab Tab Tab
expect 'the lengths against the cut' await 'cutoff_len'
escape 'Tab views'
leave

printf 'The plain mode trains and talks by lines\n'
run_plain() {
    (cd "$work" && printf '%s\n' "$@" | "$program" --plain)
}
output=$(run_plain 1 3 max_steps 4 3 output_dir saves/plain 1 '' 5 6)
expect 'a training by numbers and words' grep -q 'step 4/4' <<<"$output"
expect 'no boxes, no escapes' bash -c '! grep -q "[┃│┏]\|$(printf "\033")" <<<"$1"' _ "$output"
expect 'the run is listed' grep -q 'saves/plain: finished' <<<"$output"
output=$(run_plain 3 3 adapter_name_or_path saves/plain 3 max_new_tokens 8 1 'Who are you?' /exit '' 6)
expect 'a chat by lines' grep -q 'Assistant: .' <<<"$output"

finish_story
