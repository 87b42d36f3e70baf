import CCUDA
import Platform

/// CUDA C to machine code of one architecture, by NVRTC, with a cache on disk: a file that was compiled before for this
/// architecture by this version of NVRTC is read instead.
///
/// Code for the architecture itself (cubin) is made, never PTX: a driver that is older than NVRTC can load the former, and mistakes
/// in inline assembly show here and not on the card.
final class KernelCompiler {
    private let libraries: CUDALibraries
    /// 90 compiles for sm_90a where NVRTC knows that.
    let architecture: Int
    private let directory: String?
    /// Files that were compiled and not found in the cache.
    private(set) var compiledCount = 0

    /// - Parameter directory: where compiled files are kept; nil keeps none
    init(libraries: CUDALibraries, architecture: Int, directory: String? = KernelCompiler.cacheDirectory) {
        self.libraries = libraries
        self.architecture = architecture
        self.directory = directory
    }

    /// `kernels` in the user's cache folder, or where TUNEBOARD_KERNEL_CACHE points.
    static var cacheDirectory: String? {
        if let path = Environment.value("TUNEBOARD_KERNEL_CACHE") { return path.isEmpty ? nil : path }
        let root = Environment.value("XDG_CACHE_HOME").flatMap { $0.isEmpty ? nil : $0 } ?? Path.join(FileSystem.homeDirectory, ".cache")
        return Path.join(root, "tuneboard", "kernels")
    }

    /// "12.4"
    var version: String {
        CUDALibraries.compilerVersion(libraries.compiler).map { "\($0.major).\($0.minor)" } ?? "of unknown version"
    }

    /// A file that programs include by its name.
    struct Header {
        let name: String
        let text: String
    }

    /// - Parameters:
    ///   - options: beside the architecture
    /// - Returns: a cubin
    func compiled(file: String, source: String, headers: [Header] = [], options: [String]) throws(CUDAError) -> [UInt8] {
        let target = try target()
        let all = ["--gpu-architecture=\(target)"] + options
        var hash = StableHash()
        hash.combine(source)
        for header in headers {
            hash.combine(header.name)
            hash.combine(header.text)
        }
        for option in all { hash.combine(option) }
        hash.combine(version)
        let path = directory.map { Path.join($0, "\(Path.stem(file))-\(target)-\(hash.text).cubin") }
        if let path, let known = try? FileSystem.readBytes(path), !known.isEmpty { return known }
        let cubin = try compile(file: file, source: source, headers: headers, options: all)
        compiledCount += 1
        if let path, let directory {
            // A cache that cannot be written costs a second at the next start, no more.
            try? FileSystem.createDirectory(directory)
            try? FileSystem.writeAtomically(path, bytes: cubin)
        }
        return cubin
    }

    /// What NVRTC is asked for: the card's own architecture, or the newest that NVRTC knows and the card can run.
    private func target() throws(CUDAError) -> String {
        let compiler = libraries.compiler
        var count: Int32 = 0
        guard compiler.nvrtcGetNumSupportedArchs(&count) == 0, count > 0 else { return "sm_\(architecture)" }
        var known = [Int32](repeating: 0, count: Int(count))
        guard compiler.nvrtcGetSupportedArchs(&known) == 0 else { return "sm_\(architecture)" }
        let major = CUDALibraries.compilerVersion(compiler)?.major ?? 0
        if known.contains(Int32(architecture)) { return architecture == 90 && major >= 12 ? "sm_90a" : "sm_\(architecture)" }
        // Within one generation newer cards run older code.
        guard let near = known.filter({ Int($0) / 10 == architecture / 10 && Int($0) <= architecture }).max() else {
            throw .notCompiled(
                file: "the kernels", architecture: architecture,
                log: "NVRTC \(version) knows \(known.map { "sm_\($0)" }.joined(separator: ", ")); a newer one is needed")
        }
        return "sm_\(near)"
    }

    private func compile(file: String, source: String, headers: [Header], options: [String]) throws(CUDAError) -> [UInt8] {
        let compiler = libraries.compiler
        var program: UnsafeMutableRawPointer?
        let created = withCStrings(headers.map(\.text)) { texts in
            withCStrings(headers.map(\.name)) { names in
                compiler.nvrtcCreateProgram(&program, source, file, Int32(headers.count), texts, names)
            }
        }
        guard created == 0 else { throw .notCompiled(file: file, architecture: architecture, log: text(created)) }
        defer { _ = compiler.nvrtcDestroyProgram(&program) }
        let result = withCStrings(options) { compiler.nvrtcCompileProgram(program, Int32(options.count), $0) }
        guard result == 0 else {
            throw .notCompiled(file: file, architecture: architecture, log: log(program) ?? text(result))
        }
        var count = 0
        guard compiler.nvrtcGetCUBINSize(program, &count) == 0, count > 0 else {
            throw .notCompiled(file: file, architecture: architecture, log: "no machine code came back")
        }
        var cubin = [CChar](repeating: 0, count: count)
        let got = compiler.nvrtcGetCUBIN(program, &cubin)
        guard got == 0 else { throw .notCompiled(file: file, architecture: architecture, log: text(got)) }
        return cubin.map { UInt8(bitPattern: $0) }
    }

    private func log(_ program: UnsafeMutableRawPointer?) -> String? {
        var count = 0
        guard libraries.compiler.nvrtcGetProgramLogSize(program, &count) == 0, count > 1 else { return nil }
        var log = [CChar](repeating: 0, count: count + 1)
        guard libraries.compiler.nvrtcGetProgramLog(program, &log) == 0 else { return nil }
        return String(decoding: log.prefix { $0 != 0 }.prefix(4000).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func text(_ status: Int32) -> String {
        libraries.compiler.nvrtcGetErrorString(status).map { String(cString: $0) } ?? "error \(status)"
    }

    private func withCStrings<Result>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
        var all: [CChar] = [], starts: [Int] = []
        for string in strings {
            starts.append(all.count)
            all += string.utf8CString
        }
        return all.withUnsafeBufferPointer { characters in
            let pointers = starts.map { start in characters.baseAddress.map { $0 + start } }
            return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
        }
    }
}
