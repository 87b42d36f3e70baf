/// `tuneboard env`: what this program runs on, for bug reports and for choosing settings.

import CPlatform
import Formats
import Generation
import Glibc
import Platform
import Tensors

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
        ] + gpu() + [
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

    /// The cards, NVIDIA's libraries with their versions, and what is missing.
    private static func gpu() -> [(name: String, value: String)] {
        let report = CUDAReport()
        guard !report.findings.allSatisfy({ $0.path == nil }) || ComputeDevice.seemsToHaveCard else {
            return [("GPU", "none found; the engine runs on the processor")]
        }
        var rows: [(name: String, value: String)] = []
        for card in report.cards {
            rows.append(("GPU \(card.ordinal)", card.text))
        }
        if let problem = report.problem { rows.append(("GPU", problem)) }
        for finding in report.findings {
            let found = finding.path.map { path in [finding.version, path].compactMap { $0 }.joined(separator: ", ") }
            rows.append((finding.library.title, found ?? "missing: \(finding.problem ?? "not found")"))
        }
        return rows
    }
}
