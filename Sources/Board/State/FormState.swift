import Configuration
import Events
import Terminal

/// A row of a form, by what it is about, so that the selection survives folding and filtering.
public enum FormRowIdentity: Sendable, Hashable {
    case section(String)
    case field(String)
    /// The fields of a section that do not apply now.
    case inapplicable(String)
}

/// A field being typed in.
public struct FieldEdit: Sendable {
    public var argument: String
    public var field: TextField
    /// What is wrong with the text as it stands, or nil.
    public var problem: String?

    public init(argument: String, field: TextField) {
        self.argument = argument
        self.field = field
    }
}

/// The estimate beside the form.
public enum PlanState: Sendable, Equatable {
    case none
    case computing
    case ready(RunPlan)
    /// With the argument that is to be put right, where one is known.
    case failed(String, argument: String? = nil)
}

/// One page's form: a configuration, how it came to be, and where the cursor is.
public struct FormState: Sendable {
    public let tab: Tab
    public internal(set) var configuration: Configuration
    /// The configuration as it was loaded or saved.
    public var baseline: Configuration
    public var recipePath: String?
    public var selection: FormRowIdentity
    /// The first visible row.
    public var top = 0
    public var openSections: Set<String>
    /// Sections whose fields that do not apply are shown.
    public var openInapplicable: Set<String> = []
    /// The filter over every argument; nil when all sections are shown.
    public var filter: TextField?
    /// True while the filter is being typed.
    public var isFiltering = false
    /// What the filter would have found on another page, where it finds nothing here.
    public var elsewhere: FoundField?
    public var edit: FieldEdit?
    public var problems: [Problem] = []

    /// With what the plan met on the disk. That alone forbids no start: it may have been put right there since.
    public var allProblems: [Problem] {
        guard case .failed(let reason, let argument?) = plan else { return problems }
        return problems + [Problem(argument: argument, severity: .error, message: reason)]
    }
    public var plan = PlanState.none
    /// Why the last start of this form, as it stands, was refused.
    public var refusal: String?
    /// Counts changes, so that a late estimate of an older configuration is thrown away.
    public var generation = 0

    struct Change: Sendable {
        var argument: String
        var configuration: Configuration
        /// The recipe that the form had, where another took its place: the title follows.
        var recipe: Recipe?
    }

    /// What the form's title and its marks of change refer to.
    struct Recipe: Sendable {
        var path: String?
        var baseline: Configuration
    }

    var recipe: Recipe {
        get { Recipe(path: recipePath, baseline: baseline) }
        set { (recipePath, baseline) = (newValue.path, newValue.baseline) }
    }

    /// Takes a state of the history.
    /// - Returns: the state before, for the other stack.
    mutating func restore(_ change: Change) -> Change {
        let before = Change(argument: change.argument, configuration: configuration, recipe: change.recipe == nil ? nil : recipe)
        configuration = change.configuration
        if let recipe = change.recipe { self.recipe = recipe }
        reveal(change.argument)
        return before
    }

    var undoStack: [Change] = []
    var redoStack: [Change] = []

    public init(tab: Tab, configuration: Configuration, recipePath: String? = nil) {
        self.tab = tab
        self.configuration = configuration
        self.baseline = configuration
        self.recipePath = recipePath
        let layout = FormLayout.layout(for: tab)
        openSections = Set(layout.sections.filter(\.isOpenAtFirst).map(\.title))
        selection = .section(layout.sections.first?.title ?? "")
        if let first = layout.sections.first?.arguments.first { selection = .field(first) }
        problems = configuration.validate(for: tab.command)
    }

}
