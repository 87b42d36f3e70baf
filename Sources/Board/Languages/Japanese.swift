extension LanguageFiles {
    static let japanese = #"""
    "Train" = "Train"
    """#
}
