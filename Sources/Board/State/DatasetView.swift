import Runs

/// A data set being looked through, row by row.
public struct DatasetViewState: Sendable {
    public enum Page: Int, CaseIterable, Sendable {
        case prompt, tokens, raw, lengths

        var title: String {
            switch self {
            case .prompt: say("prompt")
            case .tokens: say("tokens")
            case .raw: say("row")
            case .lengths: say("lengths")
            }
        }
    }

    public var tab: Tab
    /// The data sets of the form, and the one in view.
    public var names: [String]
    public var index = 0
    public var row = 0
    public var page = Page.prompt
    public var scroll = 0
    public var preview: DatasetPreview?
    public var problem: String?
    public var isLoading = true

    public init(tab: Tab, names: [String]) {
        self.tab = tab
        self.names = names
    }

    var name: String { names.indices.contains(index) ? names[index] : "" }
}
