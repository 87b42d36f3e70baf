/// `tuneboard data`: what datasets hold, and what a model makes of them.

enum DataCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        throw UsageError("`tuneboard data` is not part of this build.")
    }
}
