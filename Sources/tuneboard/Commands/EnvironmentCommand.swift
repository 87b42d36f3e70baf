/// `tuneboard env`: what this program runs on, for bug reports and for choosing settings.

import CPlatform
import Formats
import Glibc
import Platform

enum EnvironmentCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        try invocation.expectNoWords()
        let rows = facts()
        if invocation.isJSON {
            Output.print(JSONValue.object(JSONObject(rows.map { ($0.name, .string($0.value)) })).text(style: .indented(2)))
        } else {
            for line in Columns.lines(rows.map { [$0.name, $0.value] }) { Output.print(line) }
        }
        return ExitCode.done
    }

    private static func facts() -> [(name: String, value: String)] {
        let features = ["avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16"]
            .filter(SystemInfo.cpuFeatures.contains)
        return [
            ("tuneboard", Program.version),
            ("program", FileSystem.executablePath ?? "-"),
            ("system", SystemInfo.systemName),
            ("architecture", SystemInfo.architecture),
            ("processor", SystemInfo.cpuModel),
            ("processor features", features.isEmpty ? "-" : features.joined(separator: " ")),
            ("processors to use", String(SystemInfo.cpuCount)),
            ("memory", "\(NumberText.bytes(SystemInfo.physicalMemoryBytes)), \(NumberText.bytes(SystemInfo.availableMemoryBytes)) available"),
            ("disk free here", NumberText.bytes(FileSystem.freeBytes(at: "."))),
            ("BLAS", blas()),
            ("GPU", gpu()),
            ("terminal", "\(Environment.value("TERM") ?? "none"), colours \(Environment.value("COLORTERM") ?? "by TERM")"),
            ("locale", Environment.value("LC_ALL") ?? Environment.value("LC_CTYPE") ?? Environment.value("LANG") ?? "C"),
            ("Hugging Face cache", Environment.value("HF_HOME") ?? Path.join(FileSystem.homeDirectory, ".cache", "huggingface")),
        ]
    }

    /// The library asks to be found by name among what is loaded: the engine is linked to it.
    private static func blas() -> String {
        typealias Answer = @convention(c) () -> UnsafePointer<CChar>?
        guard let symbol = dlsym(nil, "openblas_get_config") else { return "not OpenBLAS" }
        guard let text = unsafeBitCast(symbol, to: Answer.self)() else { return "OpenBLAS" }
        return String(cString: text)
    }

    /// Whether a driver is there. The engine does not use it yet, and says so.
    private static func gpu() -> String {
        let hasDevice = FileSystem.exists("/dev/nvidia0")
        let hasDriver = ["libcuda.so.1", "libcuda.so"].contains { name in
            guard let handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL) else { return false }
            dlclose(handle)
            return true
        }
        switch (hasDevice, hasDriver) {
        case (true, true): return "an NVIDIA GPU and its driver are here; not supported yet, the engine runs on the CPU"
        case (true, false): return "an NVIDIA GPU is here without libcuda; not supported yet, the engine runs on the CPU"
        case (false, true): return "libcuda is here, but no GPU; the engine runs on the CPU"
        case (false, false): return "none found; the engine runs on the CPU"
        }
    }
}
