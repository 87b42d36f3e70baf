/// A situation in which commands apply. The board is in several at once, from the innermost to the outermost; the first that
/// knows a key has it.
public enum Context: Sendable, Hashable, CaseIterable {
    /// Always, even while text is typed and over every overlay.
    case anywhere
    /// On every page while no text is typed.
    case page
    /// On the pages that have a form: Train, Evaluate, Export.
    case formPage
    case form
    /// The Chat page's form over a conversation.
    case chatOptions
    case fieldEdit
    case formFilter
    /// Lists that take no text: letters move in them.
    case list
    /// Lists under a filter being typed.
    case textList
    case runs
    /// The filter over the runs being typed.
    case runsFilter
    /// The list of jobs that wait.
    case queue
    case results
    case samples
    case evaluatePage
    /// Chat with a model loaded, message or transcript.
    case chat
    /// Chat before a model is loaded.
    case chatForm
    case message
    case transcript
    case monitor
    case chart
    case log
    case logSearch
    case commandList
    case picker
    /// A picker of which several lines can be taken.
    case markingPicker
    case dialog
    case preview
    /// Where the configurations of runs differ.
    case comparison
    case prompt
    case editor
    case jump
    case dataset
    /// Any overlay that only Esc has to close.
    case overlay

    /// Where the commands of this context are, for the help.
    public var title: String {
        switch self {
        case .anywhere, .page: "Everywhere"
        case .formPage, .form: "Forms"
        case .fieldEdit: "Typing in a field"
        case .formFilter: "Filtering a form"
        case .list, .textList: "Lists"
        case .runs, .runsFilter: "Runs"
        case .queue: "Queue"
        case .results: "Results"
        case .samples, .evaluatePage: "Evaluate"
        case .chat, .chatForm, .chatOptions, .message, .transcript: "Chat"
        case .monitor, .chart: "Monitor"
        case .log, .logSearch: "Log"
        case .commandList, .picker, .markingPicker, .dialog, .preview, .comparison, .prompt, .editor, .jump, .dataset, .overlay: "Popups"
        }
    }
}

extension BoardState {
    /// The contexts the board is in, innermost first.
    public var contexts: [Context] {
        if let overlay = overlays.last { return contexts(of: overlay) }
        switch focus {
        case .form:
            if let contexts = typingContexts(of: forms[tab]) { return contexts }
            return [.form, .list] + pageContexts
        case .runs: return runList.isFiltering ? [.runsFilter, .textList, .anywhere] : [.runs, .list] + pageContexts
        case .results: return [.results, .list] + pageContexts
        case .samples: return [.samples, .list] + pageContexts
        case .transcript: return [.transcript, .list] + pageContexts
        case .message: return [.message, .chat, .anywhere]
        case .chart: return [.chart] + pageContexts
        case .log:
            if logPane.draft != nil { return [.logSearch, .anywhere] }
            return [.log, .list] + pageContexts
        }
    }

    /// True while printable keys are text.
    public var takesText: Bool {
        switch contexts.first {
        case .fieldEdit, .formFilter, .runsFilter, .message, .logSearch, .commandList, .picker, .markingPicker, .prompt, .editor: true
        default: false
        }
    }

    private var pageContexts: [Context] {
        switch tab {
        case .train, .export: [.formPage, .page, .anywhere]
        case .evaluate: [.evaluatePage, .formPage, .page, .anywhere]
        case .chat: [chat.modelInfo == nil ? .chatForm : .chat, .page, .anywhere]
        case .monitor: [.monitor, .page, .anywhere]
        }
    }

    private func typingContexts(of form: FormState) -> [Context]? {
        if form.edit != nil { return [.fieldEdit, .anywhere] }
        if form.isFiltering { return [.formFilter, .textList, .anywhere] }
        return nil
    }

    private func contexts(of overlay: Overlay) -> [Context] {
        switch overlay {
        case .help, .palette: [.commandList, .textList, .anywhere]
        case .picker(let picker): (picker.takesSeveral ? [.markingPicker] : []) + [.picker, .textList, .anywhere]
        case .dialog: [.dialog, .anywhere]
        case .preview: [.preview, .list, .overlay, .anywhere]
        case .prompt: [.prompt, .anywhere]
        case .editor: [.editor, .anywhere]
        case .runs: runList.isFiltering ? [.runsFilter, .textList, .anywhere] : [.runs, .list, .overlay, .anywhere]
        case .comparison: [.comparison, .list, .overlay, .anywhere]
        case .queue: [.queue, .list, .overlay, .anywhere]
        case .jump: [.jump, .anywhere]
        case .dataset: [.dataset, .list, .overlay, .anywhere]
        case .form(let tab): typingContexts(of: forms[tab]) ?? [.form, .chatOptions, .list, .overlay, .anywhere]
        }
    }
}
