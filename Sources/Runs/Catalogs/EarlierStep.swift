import Configuration
import Platform

/// Finds out who makes a folder that is missing: recipes build on each other, and a second step fails for want of the first.
enum EarlierStep {
    private static let largestRecipe: Int64 = 1 << 16

    /// - Parameter folders: where recipes are looked for.
    /// - Returns: the command that makes the folder, by a recipe's `output_dir` or `export_dir`, or as a recipe's comment has it.
    static func command(making path: String, folders: [String] = ["recipes"]) -> String? {
        var noted: String?
        for recipe in recipes(folders) {
            guard let text = try? FileSystem.readText(recipe) else { continue }
            for line in text.split(whereSeparator: \.isNewline) {
                if let key = key(of: line, naming: path) { return "tuneboard \(key == "export_dir" ? "export" : "train") \(recipe)" }
                if noted == nil { noted = command(in: line, making: path) }
            }
        }
        return noted
    }

    private static func recipes(_ folders: [String]) -> [String] {
        var found: [String] = []
        for folder in folders {
            FolderWalk.visit(folder, depth: 2) { path, names in
                found += names.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.map { Path.join(path, $0) }
                return true
            }
        }
        return found.filter { ((try? FileSystem.size($0)) ?? .max) <= largestRecipe }.sorted()
    }

    /// `output_dir: PATH`, with or without quotes and a comment behind it.
    private static func key(of line: Substring, naming path: String) -> String? {
        for key in ["output_dir", "export_dir"] where line.hasPrefix(key + ":") {
            let value = line.dropFirst(key.count + 1).split(separator: "#", omittingEmptySubsequences: false)[0]
            let name = value.trimmingBlanks.filter { $0 != "\"" && $0 != "'" }
            return isSame(name, path) ? key : nil
        }
        return nil
    }

    /// A comment that says `tuneboard ... --output_dir PATH ...`.
    private static func command(in line: Substring, making path: String) -> String? {
        guard line.hasPrefix("#") else { return nil }
        let words = line.dropFirst().split(separator: " ").map(String.init)
        guard let start = words.firstIndex(of: "tuneboard"), let option = words.firstIndex(of: "--output_dir"), option > start,
            words.indices.contains(option + 1), isSame(words[option + 1], path)
        else { return nil }
        return words[start...].joined(separator: " ")
    }

    private static func isSame(_ name: String, _ path: String) -> Bool {
        !name.isEmpty && Path.absolute(Path.expandingTilde(name)) == Path.absolute(Path.expandingTilde(path))
    }
}

extension Substring {
    fileprivate var trimmingBlanks: Substring {
        var rest = self[...]
        while rest.first == " " || rest.first == "\t" { rest = rest.dropFirst() }
        while rest.last == " " || rest.last == "\t" || rest.last == "\r" { rest = rest.dropLast() }
        return rest
    }
}
