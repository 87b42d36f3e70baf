import Platform

/// Where the user's own files are: settings under `$XDG_CONFIG_HOME/tuneboard`, what the board remembers under
/// `$XDG_STATE_HOME/tuneboard`, each with the default that the XDG base directory specification names.
public enum UserFolders {
    public static func configuration(_ name: String = "") -> String { folder("XDG_CONFIG_HOME", ".config", name) }

    public static func state(_ name: String = "") -> String { folder("XDG_STATE_HOME", ".local/state", name) }

    private static func folder(_ variable: String, _ fallback: String, _ name: String) -> String {
        var base = Environment.value(variable) ?? ""
        // The specification asks to ignore relative paths.
        if !base.hasPrefix("/") { base = Path.join(FileSystem.homeDirectory, fallback) }
        let folder = Path.join(base, "tuneboard")
        return name.isEmpty ? folder : Path.join(folder, name)
    }
}
