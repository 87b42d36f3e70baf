import Platform

/// The board's words in one language: a table from English sentences to theirs.
///
/// The state of the board holds one. While the board updates or draws, it is the task's current one, so that `say` finds it
/// without being handed a table at every turn, and two boards in two languages do not meet.
public struct Wording: Sendable {
    public let language: Language
    private let table: [String: String]
    /// What could not be read in a language file, for the user.
    public let problems: [LanguageFile.Problem]
    /// The sentences of the argument table, the wordiest first. Their keys begin with `engine:`.
    let engineSentences: [SentencePattern]
    let known = KnownSentences()

    @TaskLocal static var current = Wording.english

    public static let english = Wording(language: .english, table: [:], problems: [])

    init(language: Language, table: [String: String], problems: [LanguageFile.Problem]) {
        self.language = language
        self.table = table
        self.problems = problems
        let mark = "engine:"
        engineSentences = table.filter { $0.key.hasPrefix(mark) }
            .map { SentencePattern(String($0.key.dropFirst(mark.count)), translation: $0.value) }.sorted { $0.weight > $1.weight }
    }

    /// The built-in words of a language, with the user's own file over them where there is one.
    /// - Parameter folder: holds `zh.lang` and its kind; nil to look for none.
    public init(_ language: Language, userFolder folder: String? = nil) {
        var table = Self.builtIn[language] ?? [:]
        var problems: [LanguageFile.Problem] = []
        if let folder {
            let path = Path.join(folder, language.rawValue + ".lang")
            if FileSystem.exists(path) {
                do {
                    let own = LanguageFile.parse(try FileSystem.readText(path), file: path)
                    table.merge(own.table) { _, own in own }
                    problems = own.problems
                } catch {
                    problems = [.init(file: path, line: 0, message: "cannot be read: \(error)")]
                }
            }
        }
        self.init(language: language, table: table, problems: problems)
    }

    /// The translation of an English sentence; nil where there is none, so that the English one stays.
    func translation(of key: String) -> String? { table.isEmpty ? nil : table[key] }

    var count: Int { table.count }

    private static let builtIn: [Language: [String: String]] = Dictionary(
        uniqueKeysWithValues: Language.allCases.map { ($0, LanguageFile.parse($0.builtIn, file: $0.rawValue).table) })
}
