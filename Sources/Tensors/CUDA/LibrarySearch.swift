import Platform

/// Where NVIDIA's libraries may be: beside the program, where the system looks (LD_LIBRARY_PATH and its cache), in the folders of
/// CUDA installations, and in the wheels that PyTorch brings along (site-packages/nvidia/*/lib).
public struct LibrarySearch: Sendable {
    /// Before the system's own places, and after them.
    public let preferred: [String]
    public let folders: [String]
    /// Whether names without a folder are tried.
    public let asksSystem: Bool

    public init(preferred: [String], folders: [String], asksSystem: Bool) {
        self.preferred = preferred
        self.folders = folders
        self.asksSystem = asksSystem
    }

    /// This machine's places.
    public init() {
        let program = FileSystem.executablePath.map(Path.directory)
        preferred = program.map { [Path.join($0, "lib"), Path.join(Path.directory($0), "lib")] } ?? []
        asksSystem = true
        var folders: [String] = []
        for variable in ["CUDA_HOME", "CUDA_PATH"] {
            if let root = Environment.value(variable), !root.isEmpty { folders += Self.installation(root) }
        }
        folders += Self.installation("/usr/local/cuda")
        let versions = Self.list("/usr/local").filter { $0.hasPrefix("cuda-") }.sorted { Self.rank($0) > Self.rank($1) }
        for name in versions { folders += Self.installation(Path.join("/usr/local", name)) }
        folders += Self.installation("/opt/cuda") + ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib/wsl/lib"]
        // Where containers find the driver of their host.
        folders += ["/usr/local/nvidia/lib64", "/usr/local/nvidia/lib"]
        for root in Self.pythonRoots() { folders += Self.wheels(root) }
        self.folders = folders
    }

    /// Files and names to open, best first: of all places the first name, then the next.
    func candidates(_ names: [String]) -> [String] {
        var result: [String] = []
        for name in names {
            result += preferred.map { Path.join($0, name) }.filter(FileSystem.exists)
            if asksSystem { result.append(name) }
            result += folders.map { Path.join($0, name) }.filter(FileSystem.exists)
        }
        return result
    }

    private static func installation(_ root: String) -> [String] {
        [Path.join(root, "lib64"), Path.join(root, "lib"), Path.join(root, "targets", "x86_64-linux", "lib"), Path.join(root, "targets", "sbsa-linux", "lib")]
            .filter(FileSystem.isDirectory)
    }

    /// Folders that hold `lib/python3*`, those of the active environment first.
    private static func pythonRoots() -> [String] {
        let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].compactMap(Environment.value).filter { !$0.isEmpty }
        return active + ["/usr/local", "/usr", Path.join(FileSystem.homeDirectory, ".local"), "/opt/conda", "/opt/venv", "/venv"]
    }

    private static func wheels(_ root: String) -> [String] {
        var found: [String] = []
        let library = Path.join(root, "lib")
        for python in list(library).filter({ $0.hasPrefix("python3") }).sorted(by: { rank($0) > rank($1) }) {
            for packages in ["site-packages", "dist-packages"] {
                let nvidia = Path.join(library, python, packages, "nvidia")
                found += list(nvidia).sorted().map { Path.join(nvidia, $0, "lib") }.filter(FileSystem.isDirectory)
            }
        }
        return found
    }

    private static func list(_ folder: String) -> [String] { (try? FileSystem.list(folder)) ?? [] }

    /// Orders "cuda-12.10" after "cuda-12.9" and "python3.11" after "python3.9".
    private static func rank(_ name: String) -> Int {
        let numbers = name.split { !$0.isNumber }.compactMap { Int($0) }
        return (numbers.first ?? 0) * 10_000 + (numbers.dropFirst().first ?? 0)
    }
}
