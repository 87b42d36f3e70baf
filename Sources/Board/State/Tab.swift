/// The five pages of the board, in the order of their number keys.
public enum Tab: Int, CaseIterable, Sendable, Hashable {
    case train, evaluate, chat, export, monitor

    public var title: String {
        switch self {
        case .train: "Train"
        case .evaluate: "Evaluate"
        case .chat: "Chat"
        case .export: "Export"
        case .monitor: "Monitor"
        }
    }

    /// The digit that opens the page.
    public var number: Int { rawValue + 1 }

    /// The panes that Tab and Shift+Tab walk through, the first being the one that has the focus at the start.
    public var panes: [Pane] {
        switch self {
        case .train: [.form, .runs]
        case .evaluate: [.form, .results, .samples]
        case .chat: [.message, .transcript]
        case .export: [.form]
        case .monitor: [.chart, .log, .runs]
        }
    }

    public func following(by count: Int) -> Tab {
        let all = Tab.allCases
        return all[((rawValue + count) % all.count + all.count) % all.count]
    }
}

/// A part of a page that can have the focus.
public enum Pane: Sendable, Hashable, CaseIterable {
    /// The argument form of Train, Evaluate, Export, and of Chat before a model is loaded.
    case form
    /// Runs found under `saves/`.
    case runs
    /// The table of evaluation results.
    case results
    /// The samples of an evaluation: prompt, expected, predicted.
    case samples
    /// The conversation.
    case transcript
    /// The message being written.
    case message
    /// The large plot of the Monitor.
    case chart
    /// The log of the Monitor.
    case log
}
