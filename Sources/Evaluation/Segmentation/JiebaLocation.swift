/// Where a machine may keep jieba's tables.

import Platform

enum JiebaLocation {
    /// Folders in the order in which they are tried: TUNEBOARD_JIEBA, PYTHONPATH, the active virtual environment, the user's and
    /// the system's Python packages.
    static func candidates(environment: (String) -> String?) -> [String] {
        var found: [String] = []
        if let chosen = environment("TUNEBOARD_JIEBA"), !chosen.isEmpty { found.append(chosen) }
        for entry in (environment("PYTHONPATH") ?? "").split(separator: ":") { found.append(Path.join(String(entry), "jieba")) }
        var prefixes: [String] = []
        for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
            if let prefix = environment(name), !prefix.isEmpty { prefixes.append(prefix) }
        }
        if let home = environment("HOME"), !home.isEmpty { prefixes.append(Path.join(home, ".local")) }
        prefixes += ["/usr/local", "/usr"]
        for prefix in prefixes {
            let library = Path.join(prefix, "lib")
            guard let versions = try? FileSystem.list(library) else { continue }
            for version in versions where version.hasPrefix("python3") {
                for packages in ["site-packages", "dist-packages"] {
                    found.append(Path.join(Path.join(Path.join(library, version), packages), "jieba"))
                }
            }
        }
        return found
    }
}
