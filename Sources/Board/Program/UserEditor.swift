import Platform
import Terminal

/// Runs the user's editor on a text, in the terminal that the board has let go of.
enum UserEditor {
    /// `$VISUAL`, else `$EDITOR`, else the first of a few that is there.
    static var command: String? {
        for name in ["VISUAL", "EDITOR"] {
            if let value = Environment.value(name), !value.trimmingSpaces.isEmpty { return value }
        }
        let folders = (Environment.value("PATH") ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
        return ["nano", "vim", "vi"].first { name in folders.contains { FileSystem.exists(Path.join($0, name)) } }
    }

    enum Outcome {
        case text(String)
        case failure(String)
    }

    /// - Returns: what the file held when the editor was left.
    static func edit(_ text: String, _ purpose: EditorPurpose) -> Outcome {
        guard let command else { return .failure("No editor was found. Set EDITOR, for instance to nano.") }
        do {
            let folder = try FileSystem.createTemporaryDirectory()
            defer { try? FileSystem.removeTree(folder) }
            let path = Path.join(folder, "tuneboard.\(purpose.fileExtension)")
            try FileSystem.writeAtomically(path, text: text.hasSuffix("\n") || text.isEmpty ? text : text + "\n")
            // A shell splits the command: EDITOR may hold arguments, as in "code --wait".
            let code = try ProcessRunner.runInTerminal(["/bin/sh", "-c", command + " \"$1\"", "sh", path])
            guard code == 0 else { return .failure("\(command) ended with code \(code); nothing was changed.") }
            return .text(try FileSystem.readText(path))
        } catch {
            return .failure(String(describing: error))
        }
    }
}
