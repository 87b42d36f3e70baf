extension LanguageFiles {
    static let chinese = #"""
    "Train" = "Train"
    """#
}
