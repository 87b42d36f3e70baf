import Terminal

extension CommandTable {
    static let forms: [BoardCommand] = [
        BoardCommand("form.edit", "Edit the field, or open its picker", label: "edit", keys: keys("enter"), in: [.form], rank: 1,
            refusal: { $0.editRefusal() }, perform: { $0.editField() }),
        BoardCommand("form.editText", "Edit the field as text", keys: keys("e"), in: [.form],
            refusal: { $0.editRefusal() }, perform: { $0.editFieldAsText() }),
        BoardCommand("form.editor", "Edit the field in $EDITOR, or the form on a heading", keys: keys("E"), in: [.form],
            refusal: { $0.editRefusal() }, perform: { $0.editFieldInEditor() }),
        BoardCommand("form.editor.all", "Edit the whole form in $EDITOR", keys: keys("ctrl+e"), in: [.form, .formPage]) {
            $0.editFormInEditor()
        },
        BoardCommand("message.editor", "Write the message in $EDITOR", keys: keys("ctrl+e"), in: [.message]) { $0.editMessageInEditor() },
        BoardCommand("form.history", "Earlier values of the field", label: "history", keys: keys("H"), in: [.form], rank: 17,
            refusal: { $0.historyRefusal() }, perform: { $0.openHistory() }),
        BoardCommand("form.toggle", "Toggle, or fold the section", keys: keys("space"), in: [.form],
            refusal: { $0.editRefusal() }, perform: { $0.toggleField() }),
        BoardCommand("form.nextChoice", "Next choice, or unfold the section", keys: keys("right", "l"), in: [.form]) {
            $0.cycleChoice(by: 1)
        },
        BoardCommand("form.previousChoice", "Previous choice, or fold the section", keys: keys("left", "h"), in: [.form]) {
            $0.cycleChoice(by: -1)
        },
        BoardCommand("form.filter", "Find a field among all arguments", label: "find", keys: keys("/"), in: [.form], rank: 2) {
            $0.startFilter()
        },
        BoardCommand("form.undo", "Undo the last change", label: "undo", keys: keys("u"), in: [.form], rank: 10, onlyWhenPossible: true,
            refusal: { $0.undoRefusal() }, perform: { $0.undo() }),
        BoardCommand("form.redo", "Redo the change that was undone", keys: keys("U"), in: [.form],
            refusal: { $0.redoRefusal() }, perform: { $0.redo() }),
        BoardCommand("form.default", "Set the field back to its default", label: "default", keys: keys("D"), in: [.form], rank: 15,
            refusal: { $0.editRefusal() }, perform: { $0.resetField() }),
        BoardCommand("form.nextProblem", "Go to the next error or warning", keys: keys("n"), in: [.form],
            refusal: { $0.problemRefusal() }, perform: { $0.selectProblem(by: 1) }),
        BoardCommand("form.previousProblem", "Go to the previous error or warning", keys: keys("N"), in: [.form],
            refusal: { $0.problemRefusal() }, perform: { $0.selectProblem(by: -1) }),
        BoardCommand("form.clearFilter", "Show all sections again", keys: keys("escape"), in: [.form],
            refusal: { $0.activeForm?.filter == nil && $0.overlays.isEmpty ? say("Nothing to leave: q quits.") : nil },
            perform: { $0.leaveForm() }),
    ]

    static let fieldEditing: [BoardCommand] = [
        BoardCommand("field.accept", "Take the value", label: "accept", keys: keys("enter"), in: [.fieldEdit], rank: 1) {
            $0.acceptEdit()
        },
        BoardCommand("field.acceptAndNext", "Take the value and edit the next field", label: "accept, next", keys: keys("tab"),
            in: [.fieldEdit], rank: 2) { $0.acceptEditAndAdvance() },
        BoardCommand("field.start", "Take the value and start", keys: keys("f5", "ctrl+r"), in: [.fieldEdit]) { $0.acceptEditAndStart() },
        BoardCommand("field.cancel", "Leave the field as it was", label: "cancel", keys: keys("escape"), in: [.fieldEdit], rank: 3) {
            $0.cancelEdit()
        },
        BoardCommand("field.clear", "Remove what stands before the cursor; all of a value that is selected", label: "clear", keys: keys("ctrl+u"),
            in: [.fieldEdit], rank: 4) { $0.editFieldText(.character("u"), .control) },
        BoardCommand("field.left", "Keep the value and go to the left in it", keys: keys("left"), in: [.fieldEdit]) { $0.editFieldText(.left) },
        BoardCommand("field.right", "Keep the value and go to the right in it", keys: keys("right"), in: [.fieldEdit]) { $0.editFieldText(.right) },
        BoardCommand("field.home", "Keep the value and go to its beginning", keys: keys("home"), in: [.fieldEdit]) {
            $0.editFieldText(.home)
        },
        BoardCommand("field.end", "Keep the value and go to its end", keys: keys("end", "ctrl+e"), in: [.fieldEdit]) { $0.editFieldText(.end) },
        BoardCommand("field.word", "Remove the word before the cursor", keys: keys("ctrl+w"), in: [.fieldEdit]) {
            $0.editFieldText(.character("w"), .control)
        },
        BoardCommand("filter.accept", "Keep the filter and go to the fields", label: "keep", keys: keys("enter"), in: [.formFilter],
            rank: 1) { $0.acceptFilter() },
        BoardCommand("filter.cancel", "Clear the filter", label: "clear", keys: keys("escape"), in: [.formFilter], rank: 2) {
            $0.clearFilter()
        },
    ]

    static let datasetView: [BoardCommand] = [
        BoardCommand("dataset.open", "Preview the dataset: look through rows, prompts, tokens, lengths", label: "rows", keys: keys("P"), in: [.formPage],
            rank: 16, refusal: { $0.datasetRefusal() }, perform: { $0.openDataset() }),
        BoardCommand("dataset.next", "Next row", label: "row", keys: keys("n", "right", "l"), in: [.dataset], rank: 1) { $0.moveDatasetRow(by: 1) },
        BoardCommand("dataset.previous", "Row before", keys: keys("N", "left", "h"), in: [.dataset]) { $0.moveDatasetRow(by: -1) },
        BoardCommand("dataset.view", "Prompt, tokens, row, lengths", label: "view", keys: keys("tab", "v"), in: [.dataset], rank: 2) {
            $0.turnDatasetPage(by: 1)
        },
        BoardCommand("dataset.view.previous", "View before", keys: keys("shift+tab"), in: [.dataset]) { $0.turnDatasetPage(by: -1) },
        BoardCommand("dataset.other", "Next dataset of the form", label: "dataset", keys: keys("d"), in: [.dataset], rank: 3) { $0.nextDataset() },
    ]

    static let popups: [BoardCommand] = [
        BoardCommand("list.run", "Run the command", label: "run", keys: keys("enter"), in: [.commandList], rank: 1) {
            $0.runSelectedCommand()
        },
        BoardCommand("list.leave", "Clear what is typed, then close", label: "close", keys: keys("escape"), in: [.commandList], rank: 3,
            relabelled: { $0.hasListSearch ? "clear" : nil }, perform: { $0.leaveList() }),
        BoardCommand("list.close", "Close", label: "close", keys: keys("escape"), in: [.picker], rank: 3) {
            $0.closeOverlay()
        },
        BoardCommand("picker.accept", "Take it", label: "take", keys: keys("enter"), in: [.picker], rank: 1) { $0.acceptPick() },
        BoardCommand("picker.mark", "Mark, where several can be taken", label: "mark", keys: keys("space", "tab"), in: [.markingPicker], rank: 2,
            worksWhileTyping: true, perform: { $0.markPick() }),
        BoardCommand("picker.edit", "Edit the value as text", label: "edit", keys: keys("alt+e"), in: [.picker], rank: 2,
            onlyWhenPossible: true, refusal: { $0.editPickedRefusal() }, perform: { $0.editPickedAsText() }),
        BoardCommand("picker.start", "Take it and start", keys: keys("f5", "ctrl+r"), in: [.picker], refusal: { $0.editPickedRefusal() },
            perform: { $0.acceptPickAndStart() }),
        BoardCommand("dialog.accept", "Choose", label: "choose", keys: keys("enter"), in: [.dialog], rank: 1) { $0.acceptChoice() },
        BoardCommand("dialog.next", "Next answer", keys: keys("right", "down", "tab"), in: [.dialog]) { $0.moveChoice(by: 1) },
        BoardCommand("dialog.previous", "Previous answer", keys: keys("left", "up", "shift+tab"), in: [.dialog]) {
            $0.moveChoice(by: -1)
        },
        BoardCommand("dialog.cancel", "Cancel", label: "cancel", keys: keys("escape"), in: [.dialog], rank: 2) { $0.closeOverlay() },
        BoardCommand("preview.style", "The next style: YAML, LLaMA-Factory, torchrun, Slurm", label: "style",
            keys: keys("a", "right", "tab"), in: [.preview], rank: 1) { $0.cyclePreview(by: 1) },
        BoardCommand("preview.style.previous", "The style before", keys: keys("left", "shift+tab"), in: [.preview]) {
            $0.cyclePreview(by: -1)
        },
        BoardCommand("preview.machines.more", "One machine more", label: "machines", keys: keys("+"), in: [.preview], rank: 4,
            onlyWhenPossible: true, refusal: { $0.shapeRefusal() }, perform: { $0.changeMachines(by: 1) }),
        BoardCommand("preview.machines.fewer", "One machine fewer", keys: keys("-"), in: [.preview], refusal: { $0.shapeRefusal() },
            perform: { $0.changeMachines(by: -1) }),
        BoardCommand("preview.devices.more", "Twice as many GPUs on each machine", label: "GPUs", keys: keys(">"), in: [.preview], rank: 5,
            onlyWhenPossible: true, refusal: { $0.shapeRefusal() }, perform: { $0.changeDevices(isMore: true) }),
        BoardCommand("preview.devices.fewer", "Half as many GPUs on each machine", keys: keys("<"), in: [.preview],
            refusal: { $0.shapeRefusal() }, perform: { $0.changeDevices(isMore: false) }),
        BoardCommand("comparison.draw", "Draw the curves of these runs over each other", label: "draw", keys: keys("v", "o"), in: [.comparison],
            rank: 1) { $0.drawComparedRuns() },
        BoardCommand("prompt.accept", "Accept", label: "accept", keys: keys("enter"), in: [.prompt], rank: 1) { $0.acceptPrompt() },
        BoardCommand("prompt.cancel", "Cancel", label: "cancel", keys: keys("escape"), in: [.prompt], rank: 2) { $0.closeOverlay() },
    ]
}
