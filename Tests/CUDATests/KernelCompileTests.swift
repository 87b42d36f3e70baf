import CCUDA
import Glibc
import Platform
import Testing

@testable import Tensors

/// Machine code for every architecture that NVRTC can make, without a card: 11.8 (Debian's libnvrtc11.2) knows sm_80 to sm_90,
/// 12 and newer also sm_90a. TUNEBOARD_TEST_NVRTC may name one more library, for instance that of a Python wheel.
@Suite struct KernelCompileTests {
    @Test(
        "A file compiles for every architecture, and its registers hold what it computes", .enabled(if: !Compilers.all.isEmpty, "NVRTC is not here"),
        arguments: KernelText.programs.map(\.name), ["sm_80", "sm_86", "sm_89", "sm_90", "sm_90a"])
    func compiles(file: String, architecture: String) throws {
        guard let compiler = Compilers.all.first(where: { $0.knows(architecture) }) else {
            note("SKIPPED: no NVRTC here makes code for \(architecture) (sm_90a wants version 12: TUNEBOARD_TEST_NVRTC=/path/to/libnvrtc.so.12)")
            return
        }
        let source = try #require(KernelText.programs.first { $0.name == file }?.text)
        let wanted = Set(KernelLine.all.filter { $0.file == file }.map(\.name))
        for defines in Self.variants(file, isFirst: architecture == "sm_80") {
            let result = compiler.compile(source, file, ["--gpu-architecture=\(architecture)", "--std=c++17", "--ptxas-options=-v"] + defines)
            #expect(result.cubin.count > 0, "\(file) \(architecture) \(defines): \(result.log.prefix(2000))")
            let kernels = Self.kernels(result.log)
            #expect(Set(kernels.map(\.name)) == wanted, "\(file) \(architecture) \(defines)")
            // What spills costs time. The heaviest, attention with 128 columns a head, spills 40 to 120 bytes.
            for kernel in kernels { #expect(kernel.spilledBytes <= 160, "\(kernel.name) \(architecture) \(defines) spills \(kernel.spilledBytes) bytes") }
        }
    }

    /// The defines that a file is compiled with: all of them for one architecture, those that differ most for the others.
    static func variants(_ file: String, isFirst: Bool) -> [[String]] {
        let letters = KernelLine.all.first { $0.file == file }?.defines ?? "-"
        var variants: [[String]] = [[]]
        func spread(_ name: String, _ values: [Int]) { variants = variants.flatMap { known in values.map { known + ["-D\(name)=\($0)"] } } }
        let isTensorCore = letters.contains("D")
        let isOfRows = letters.contains("M")
        if letters.contains("E") { spread("ELEMENT", !isFirst ? [1] : isTensorCore ? [1, 2] : isOfRows ? [0, 1] : [0, 1, 2]) }
        if isTensorCore { spread("HEAD_DIMENSION", isFirst ? [16, 64, 80, 128, 256] : [64, 128, 256]) }
        if isOfRows { spread("ROWS", isFirst ? [1, 8] : [1]) }
        return variants
    }

    /// What ptxas says of each kernel.
    static func kernels(_ log: String) -> [(name: String, spilledBytes: Int)] {
        var found: [(name: String, spilledBytes: Int)] = []
        for line in log.split(separator: "\n") {
            if line.contains("Compiling entry function") {
                let parts = line.split(separator: "'")
                if parts.count > 1 { found.append((String(parts[1]), 0)) }
            } else if line.contains("bytes spill stores"), !found.isEmpty {
                let numbers = line.split { !$0.isNumber }.compactMap { Int($0) }
                if numbers.count == 3 { found[found.count - 1].spilledBytes = numbers[1] }
            }
        }
        return found
    }
}

private func note(_ text: String) {
    let line = text + "\n"
    line.withCString { _ = write(2, $0, strlen($0)) }
}

/// The NVRTC libraries of this machine.
private enum Compilers {
    static let all: [RuntimeCompiler] = {
        let named = Environment.value("TUNEBOARD_TEST_NVRTC").map { [$0] } ?? []
        let search = LibrarySearch()
        var found: [RuntimeCompiler] = []
        for names in [named, search.candidates(["libnvrtc.so.11.2"]), search.candidates(["libnvrtc.so.13", "libnvrtc.so.12"])] {
            if let compiler = names.lazy.compactMap(RuntimeCompiler.init(path:)).first { found.append(compiler) }
        }
        if found.isEmpty {
            note("SKIPPED: no kernel was compiled, because NVRTC is not here. Debian: apt-get install libnvrtc11.2 (contrib and non-free)")
        }
        return found
    }()
}

private struct RuntimeCompiler: @unchecked Sendable {
    let functions: tb_nvrtc
    let major: Int32
    let architectures: Set<Int32>

    init?(path: String) {
        var reason = [CChar](repeating: 0, count: 256), functions = tb_nvrtc()
        guard let library = tb_library_open(path, &reason, reason.count), tb_nvrtc_load(library, &functions) == nil else { return nil }
        var major: Int32 = 0, minor: Int32 = 0, count: Int32 = 0
        guard functions.nvrtcVersion(&major, &minor) == 0, functions.nvrtcGetNumSupportedArchs(&count) == 0 else { return nil }
        var known = [Int32](repeating: 0, count: Int(count))
        guard functions.nvrtcGetSupportedArchs(&known) == 0 else { return nil }
        self.functions = functions
        self.major = major
        architectures = Set(known)
    }

    func knows(_ architecture: String) -> Bool {
        let number = architecture.filter(\.isNumber)
        return Int32(number).map(architectures.contains) == true && (!architecture.hasSuffix("a") || major >= 12)
    }

    func compile(_ source: String, _ name: String, _ options: [String]) -> (cubin: [CChar], log: String) {
        var owned: [UnsafeMutablePointer<CChar>?] = []
        defer { owned.forEach { free($0) } }
        func pointers(_ texts: [String]) -> [UnsafePointer<CChar>?] {
            texts.map { text in
                let copy = strdup(text)
                owned.append(copy)
                return UnsafePointer(copy)
            }
        }
        let headers = KernelText.files.filter { !$0.name.hasSuffix(".cu") }
        var program: UnsafeMutableRawPointer?
        guard functions.nvrtcCreateProgram(&program, source, name, Int32(headers.count), pointers(headers.map(\.text)), pointers(headers.map(\.name))) == 0
        else { return ([], "no program") }
        defer { _ = functions.nvrtcDestroyProgram(&program) }
        let isCompiled = functions.nvrtcCompileProgram(program, Int32(options.count), pointers(options)) == 0
        var count = 0
        _ = functions.nvrtcGetProgramLogSize(program, &count)
        var log = [CChar](repeating: 0, count: count + 1)
        _ = functions.nvrtcGetProgramLog(program, &log)
        let text = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard isCompiled, functions.nvrtcGetCUBINSize(program, &count) == 0 else { return ([], text) }
        var cubin = [CChar](repeating: 0, count: count)
        guard functions.nvrtcGetCUBIN(program, &cubin) == 0 else { return ([], text) }
        return (cubin, text)
    }
}
