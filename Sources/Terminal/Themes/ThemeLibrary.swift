import Glibc

/// Finding and loading themes.
extension Theme {
    /// The built-in theme of a name: `dark`, `light` or `mono`; `nil` for others.
    public static func builtIn(_ name: String, depth: ColorDepth) -> Theme? {
        switch name {
        case "dark": BuiltInThemes.dark.theme(depth: depth)
        case "light": BuiltInThemes.light.theme(depth: depth)
        case "mono": BuiltInThemes.mono.theme(depth: .mono)
        default: nil
        }
    }

    /// The built-in theme for dark backgrounds, made of the terminal's own 16 colours.
    public static func dark(depth: ColorDepth = .indexed256) -> Theme { BuiltInThemes.dark.theme(depth: depth) }

    /// The built-in theme for light backgrounds, made of the terminal's own 16 colours.
    public static func light(depth: ColorDepth = .indexed256) -> Theme { BuiltInThemes.light.theme(depth: depth) }

    /// Reads a theme from text; problems are told beside a usable theme.
    public static func parse(_ text: String, file: String, depth: ColorDepth) -> (theme: Theme, problems: [ThemeSource.Problem]) {
        let source = ThemeParser.parse(text, file: file, knownScopes: BuiltInThemes.scopes)
        return (source.theme(depth: depth), source.problems)
    }

    /// Reads a theme file. One that cannot be opened gives the built-in dark theme and says so.
    public static func load(file: String, depth: ColorDepth) -> (theme: Theme, problems: [ThemeSource.Problem]) {
        guard let bytes = readFile(file) else {
            let reason = String(cString: strerror(errno))
            let problem = ThemeSource.Problem(file: file, line: 0, message: "cannot read the theme: \(reason); using the built-in dark theme")
            return (dark(depth: depth), [problem])
        }
        return parse(TextWidth.sanitize(bytes: bytes), file: file, depth: depth)
    }

    /// The names of the themes in a folder, with the built-in ones; sorted.
    public static func names(inFolder folder: String) -> [String] {
        var names: Set<String> = ["dark", "light", "mono"]
        if let directory = opendir(folder) {
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name.hasSuffix(".theme"), !name.hasPrefix(".") { names.insert(String(name.dropLast(6))) }
            }
            closedir(directory)
        }
        return names.sorted()
    }

    /// The names of the themes in several folders, with the built-in ones; sorted.
    public static func names(inFolders folders: [String]) -> [String] { Set(folders.flatMap { names(inFolder: $0) }).sorted() }

    /// The theme of a name from the first folder that has it. `auto` follows the background that the terminal told, if it did.
    public static func named(_ name: String, folders: [String], depth: ColorDepth, background: Background?) -> (theme: Theme, problems: [ThemeSource.Problem]) {
        var chosen = name
        if name == "auto" || name.isEmpty, let background { chosen = background == .light ? "light" : "dark" }
        let folder = folders.last { access($0 + "/" + chosen + ".theme", R_OK) == 0 } ?? folders.first ?? ""
        return named(chosen, folder: folder, depth: depth)
    }

    /// The theme of a name: a file `<name>.theme` of the folder, else a built-in one, else the default with a problem told.
    /// `auto` picks the dark or the light one by the terminal's background.
    public static func named(_ name: String, folder: String, depth: ColorDepth, environment: (String) -> String? = Theme.environment)
        -> (theme: Theme, problems: [ThemeSource.Problem])
    {
        let chosen = name == "auto" || name.isEmpty ? (hasLightBackground(environment) ? "light" : "dark") : name
        let path = folder + "/" + chosen + ".theme"
        if !chosen.contains("/"), access(path, R_OK) == 0 { return load(file: path, depth: depth) }
        if let theme = builtIn(chosen, depth: depth) { return (theme, []) }
        let message = "there is no theme `\(chosen)`; themes: \(names(inFolder: folder).joined(separator: ", "))"
        return (dark(depth: depth), [ThemeSource.Problem(file: path, line: 0, message: message)])
    }

    /// Whether COLORFGBG (`foreground;background`, numbers of the 16) tells of a light background.
    public static func hasLightBackground(_ environment: (String) -> String? = Theme.environment) -> Bool {
        guard let last = environment("COLORFGBG")?.split(separator: ";").last, let number = Int(last) else { return false }
        return number == 7 || (number >= 9 && number <= 15)
    }

    public static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    private static func readFile(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { Glibc.close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        while bytes.count < 1 << 20 {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 { return nil }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }
}
