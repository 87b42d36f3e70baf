extension LanguageFiles {
    static let korean = #"""
    "Train" = "Train"
    """#
}
