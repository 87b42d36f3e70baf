/// Recipes: YAML and JSON files that hold the arguments of a job.

import Platform

/// A file that `tuneboard train FILE` would take.
public struct FoundRecipe: Sendable, Equatable {
    public var path: String
    /// The path relative to the working directory.
    public var name: String
    /// The first comment of the file.
    public var summary: String
    /// Seconds since 1970-01-01 UTC.
    public var modificationTime: Double
}

public enum RecipeCatalog {
    private static let largestFile: Int64 = 256 * 1024
    /// A file counts as a recipe when it names a model.
    private static let mark = "model_name_or_path"

    /// Recipes in the given folders and below; the working directory itself is looked at without its subfolders.
    public static func scan(roots: [String] = ["recipes"], withWorkingDirectory: Bool = true) -> [FoundRecipe] {
        var recipes: [FoundRecipe] = []
        var seen: Set<String> = []
        func look(_ root: String, depth: Int) {
            FolderWalk.visit(Path.absolute(Path.expandingTilde(root)), depth: depth) { path, names in
                for name in names where ["yaml", "yml", "json"].contains(Path.extension(name)) {
                    let file = Path.join(path, name)
                    if seen.insert(file).inserted, let recipe = read(file) { recipes.append(recipe) }
                }
                return true
            }
        }
        for root in roots { look(root, depth: 3) }
        if withWorkingDirectory { look(".", depth: 0) }
        return recipes
    }

    private static func read(_ path: String) -> FoundRecipe? {
        guard let size = try? FileSystem.size(path), size <= largestFile, let text = try? FileSystem.readText(path),
            text.contains(mark)
        else { return nil }
        let first = text.split(separator: "\n").first { !$0.allSatisfy(\.isWhitespace) } ?? ""
        let summary = first.hasPrefix("#") ? String(first.drop { $0 == "#" || $0 == " " }) : ""
        return FoundRecipe(
            path: path, name: Path.relative(path, to: FileSystem.currentDirectory), summary: summary,
            modificationTime: FileSystem.modificationTime(path) ?? 0)
    }
}
