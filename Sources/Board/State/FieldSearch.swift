import Configuration
import Terminal

/// How well fields fit what is typed: into the filter of a form, into the help, into the palette.
struct FieldSearch {
    private let query: String
    private let underscored: String
    private let words: [Substring]
    private let matcher: FuzzyMatcher

    init(_ query: String) {
        self.query = query.lowercased()
        underscored = self.query.replacing(" ", with: "_")
        words = self.query.split { $0 == " " || $0 == "_" }
        matcher = FuzzyMatcher(pattern: query)
    }

    /// What a score says of the match. Within a grade the plainer name counts more.
    enum Grade {
        /// The initials of the name are the query; above that the name is.
        static let initials = 1_700
        /// The name begins with the query.
        static let beginning = 1_600
        /// The query is part of the name.
        static let partOfName = 1_000
        /// Name and description together hold every word of the query.
        static let description = 0
    }

    /// Nil for a field that does not match. A name that is the query counts more than one that begins with it, then one of whose
    /// words is the query, one that holds it, one whose letters come in its order, and last a description that holds it.
    func score(_ argument: Argument) -> Int? {
        let best = names(of: argument).enumerated().compactMap { place, name in score(name: name).map { $0 - place } }.max()
        if let best { return best }
        return describes(argument) ? Grade.description : nil
    }

    /// The same for long lists of other things, in which a match of mere letters would be noise.
    func literalScore(_ argument: Argument) -> Int? {
        let score = score(argument)
        if let score, score >= Grade.partOfName - 20 { return score }
        return describes(argument) ? Grade.description : nil
    }

    private func names(of argument: Argument) -> [String] {
        ([argument.name, FieldLabel.short(argument.name)] + FieldAliases.names(of: argument.name)).map { $0.lowercased() }
    }

    /// The help text is matched literally: fuzzy matches in prose are noise.
    private func describes(_ argument: Argument) -> Bool {
        guard query.utf8.count > 2, !words.isEmpty else { return false }
        let text = ([argument.help, FieldLabel.help(argument)] + names(of: argument)).joined(separator: " ").lowercased()
        return words.allSatisfy { text.contains($0) }
    }

    private func score(name: String) -> Int? {
        if name == underscored || name == query { return 2_000 }
        let words = name.split { $0 == "_" || $0 == " " }
        // The shorter of two names is the plainer one.
        let plainness = max(0, 40 - name.count)
        // Initials, as in lr for learning_rate.
        let initials = words.compactMap(\.first).map(String.init).joined()
        if words.count > 1, initials == query { return Grade.initials + plainness }
        if name.hasPrefix(underscored) { return Grade.beginning + plainness }
        if words.contains(Substring(query)) { return 1_400 + plainness }
        if words.count > 1, initials.hasPrefix(query) { return 1_300 + plainness }
        if words.contains(where: { $0.hasPrefix(query) }) { return 1_200 + plainness }
        if name.contains(underscored) { return Grade.partOfName + plainness }
        return matcher.match(name).map { min(900, $0.score) }
    }
}

/// A field that the help or the palette has found, with the page whose form has it.
public struct FoundField: Sendable {
    public var tab: Tab
    public var argument: Argument
    var score: Int
}

extension FoundField {
    /// The fields of all pages that a query means, best first. A field that several pages have is found where one is.
    /// - Parameter here: the page in view.
    static func search(_ query: String, from here: Tab) -> [FoundField] {
        let query = query.trimmingSpaces
        let search = FieldSearch(query)
        // Two letters are in every name; but lr is one.
        let isShort = query.utf8.count < 3
        var seen: Set<String> = []
        var found: [(field: FoundField, index: Int)] = []
        let pages = [here == .monitor ? .train : here] + [Tab.train, .evaluate, .chat, .export].filter { $0 != here }
        for tab in pages {
            let mainCount = FormLayout.layout(for: tab).sections.reduce(0) { $0 + $1.arguments.count }
            for (index, argument) in FormSections.allArguments(for: tab).enumerated() where seen.insert(argument.name).inserted {
                guard var score = search.literalScore(argument), !isShort || score >= FieldSearch.Grade.initials else { continue }
                if index < mainCount { score += 12 }
                if case .elsewhere = argument.support { score -= 6 }
                found.append((FoundField(tab: tab, argument: argument, score: score), found.count))
            }
        }
        return found.sorted { ($1.field.score, $0.index) < ($0.field.score, $1.index) }.map(\.field)
    }
}

extension BoardState {
    /// Whether going elsewhere would throw away what is being typed beneath the list on top.
    private func isTyping(in tab: Tab) -> Bool {
        if forms[tab].edit != nil || forms[pageForm].edit != nil { return true }
        return overlays.contains {
            switch $0 {
            case .editor, .prompt: true
            case .form(let tab): forms[tab].edit != nil
            case .help, .palette, .picker, .dialog, .preview, .dataset, .jump, .runs, .comparison, .queue: false
            }
        }
    }

    /// Goes to a field of a form, wherever the board is.
    mutating func go(to field: FoundField) -> [Effect] {
        guard !isTyping(in: field.tab) else {
            status = StatusMessage(.warning, say("Finish or leave the text first."))
            return [.bell]
        }
        overlays.removeAll()
        let effects = select(field.tab)
        if field.tab == .chat, chat.modelInfo != nil { overlays.append(.form(.chat)) } else { focus = .form }
        forms[field.tab].filter = nil
        forms[field.tab].isFiltering = false
        forms[field.tab].reveal(field.argument.name)
        return effects
    }

    /// Where a form's filter would have found something, though the form itself has no such field.
    mutating func lookElsewhere(than tab: Tab) {
        forms[tab].elsewhere = nil
        guard let query = forms[tab].filter?.text, !query.trimmingSpaces.isEmpty, forms[tab].rows.isEmpty else { return }
        forms[tab].elsewhere = FoundField.search(query, from: tab).first { $0.tab != tab }
    }
}
