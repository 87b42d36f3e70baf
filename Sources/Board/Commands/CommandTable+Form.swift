import Terminal

extension CommandTable {
    static let forms: [BoardCommand] = [
        BoardCommand("form.edit", "Edit the field, or open its picker", label: "edit", keys: keys("enter"), in: [.form], rank: 1,
            refusal: { $0.editRefusal() }, perform: { $0.editField() }),
        BoardCommand("form.editText", "Edit the field as text", keys: keys("e"), in: [.form],
            refusal: { $0.editRefusal() }, perform: { $0.editFieldAsText() }),
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
        BoardCommand("form.undo", "Undo the last change", label: "undo", keys: keys("u"), in: [.form], rank: 10,
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
        BoardCommand("filter.accept", "Keep the filter and go to the fields", label: "keep", keys: keys("enter"), in: [.formFilter],
            rank: 1) { $0.acceptFilter() },
        BoardCommand("filter.cancel", "Clear the filter", label: "clear", keys: keys("escape"), in: [.formFilter], rank: 2) {
            $0.clearFilter()
        },
    ]

    static let popups: [BoardCommand] = [
        BoardCommand("list.run", "Run the command", label: "run", keys: keys("enter"), in: [.commandList], rank: 1) {
            $0.runSelectedCommand()
        },
        BoardCommand("list.close", "Close", label: "close", keys: keys("escape"), in: [.commandList, .picker], rank: 3) {
            $0.closeOverlay()
        },
        BoardCommand("picker.accept", "Take it", label: "take", keys: keys("enter"), in: [.picker], rank: 1) { $0.acceptPick() },
        BoardCommand("picker.mark", "Mark, where several can be taken", label: "mark", keys: keys("space", "tab"), in: [.picker], rank: 2,
            worksWhileTyping: true, refusal: { $0.markRefusal() }, perform: { $0.markPick() }),
        BoardCommand("dialog.accept", "Choose", label: "choose", keys: keys("enter"), in: [.dialog], rank: 1) { $0.acceptChoice() },
        BoardCommand("dialog.next", "Next answer", keys: keys("right", "down", "tab"), in: [.dialog]) { $0.moveChoice(by: 1) },
        BoardCommand("dialog.previous", "Previous answer", keys: keys("left", "up", "shift+tab"), in: [.dialog]) {
            $0.moveChoice(by: -1)
        },
        BoardCommand("dialog.cancel", "Cancel", label: "cancel", keys: keys("escape"), in: [.dialog], rank: 2) { $0.closeOverlay() },
        BoardCommand("preview.style", "Minimal command, full command, YAML", label: "form", keys: keys("a"), in: [.preview], rank: 1) {
            $0.cyclePreview()
        },
        BoardCommand("prompt.accept", "Accept", label: "accept", keys: keys("enter"), in: [.prompt], rank: 1) { $0.acceptPrompt() },
        BoardCommand("prompt.cancel", "Cancel", label: "cancel", keys: keys("escape"), in: [.prompt], rank: 2) { $0.closeOverlay() },
    ]
}
