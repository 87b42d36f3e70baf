import Platform

extension GGUFFile {
    /// The GGUF file that a path stands for: the file itself, or the only one of a folder.
    ///
    /// Files that hold other parts of a model (`mmproj-*.gguf`) do not count.
    public static func location(_ path: String) -> String? {
        if FileSystem.isFile(path) { return isGGUF(path) ? path : nil }
        let names = candidates(in: path)
        return names.count == 1 ? Path.join(path, names[0]) : nil
    }

    /// Names of the GGUF files in a folder, in order.
    public static func candidates(in directory: String) -> [String] {
        guard FileSystem.isDirectory(directory) else { return [] }
        return ((try? FileSystem.list(directory)) ?? []).filter { $0.hasSuffix(".gguf") && !$0.hasPrefix("mmproj") && !$0.hasPrefix(".") }.sorted()
    }
}
