extension LanguageFiles {
    static let russian = #"""
    "Train" = "Train"
    """#
}
