extension BoardState {
    /// Where everything goes now.
    var layout: Layout { Layout(size: size, splits: splits) }

    /// Runs `body` with the board's language and keys in place.
    func withSurroundings<Result>(_ body: () -> Result) -> Result {
        Wording.$current.withValue(wording) { KeyBindings.$current.withValue(keyBindings) { body() } }
    }
}
