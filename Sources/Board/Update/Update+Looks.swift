import Terminal

extension BoardState {
    // MARK: Language

    mutating func speakNextLanguage() -> [Effect] { speak(wording.language.next) }

    /// The board's words in another language, at once.
    mutating func speak(_ language: Language) -> [Effect] {
        wording = wordings[language] ?? Wording(language)
        status = wording.problems.first.map { StatusMessage(.warning, $0.description) } ?? StatusMessage(.note, language.name)
        return []
    }
}
