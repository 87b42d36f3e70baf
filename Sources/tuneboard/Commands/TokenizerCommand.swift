/// `tuneboard tokenizer`: text to ids and back, and conversations to prompts, line by line.

enum TokenizerCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        throw UsageError("`tuneboard tokenizer` is not part of this build.")
    }
}
