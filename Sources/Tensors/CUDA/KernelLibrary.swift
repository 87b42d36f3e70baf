import CCUDA
import CUDAKernels

/// The kernels of `CUDAKernels`, compiled for one card when they are first wanted. A file is compiled once for each combination of
/// its defines: the type of activations, the dimension of a head, the number of rows.
final class KernelLibrary {
    /// What a launch wants from a file's templates.
    struct Variant: Hashable {
        /// ELEMENT: the type of activations.
        var element: DType?
        /// HEAD_DIMENSION
        var dimension = 0
        /// ROWS: of a product with few rows.
        var rows = 0

        var options: [String] {
            var options: [String] = []
            switch element {
            case .float32?: options.append("-DELEMENT=0")
            case .bfloat16?: options.append("-DELEMENT=1")
            case .float16?: options.append("-DELEMENT=2")
            case .int32?, .int64?, .uint8?, nil: break
            }
            if dimension > 0 { options.append("-DHEAD_DIMENSION=\(dimension)") }
            if rows > 0 { options.append("-DROWS=\(rows)") }
            return options
        }
    }

    struct Function {
        let handle: UnsafeMutableRawPointer
        /// Dynamic shared memory that the driver has been told of.
        var sharedBytes: Int
    }

    private struct ModuleKey: Hashable {
        let file: String
        let variant: Variant
    }

    private struct FunctionKey: Hashable {
        let name: String
        let variant: Variant
    }

    private let device: CUDADevice
    private let compiler: KernelCompiler
    private var modules: [ModuleKey: UnsafeMutableRawPointer] = [:]
    private var functions: [FunctionKey: Function] = [:]
    private let files: [String: String]
    private let headers: [KernelCompiler.Header]
    /// Kernel -> file and the letters of its defines.
    let table: [String: KernelEntry]

    init(device: CUDADevice, compiler: KernelCompiler) {
        self.device = device
        self.compiler = compiler
        var files: [String: String] = [:], headers: [KernelCompiler.Header] = []
        var count: Int32 = 0
        if let first = tb_cuda_files(&count) {
            for index in 0..<Int(count) {
                guard let name = first[index].name, let text = first[index].text else { continue }
                let file = String(cString: name)
                if file.hasSuffix(".cu") {
                    files[file] = String(cString: text)
                } else {
                    headers.append(KernelCompiler.Header(name: file, text: String(cString: text)))
                }
            }
        }
        self.files = files
        self.headers = headers
        table = KernelEntry.table()
    }

    deinit {
        device.bind()
        for module in modules.values { _ = device.driver.cuModuleUnload(module) }
    }

    /// A kernel that is ready to be launched; nil when it cannot be had, and the device knows why.
    func function(_ name: String, _ variant: Variant, sharedBytes: Int) -> UnsafeMutableRawPointer? {
        let key = FunctionKey(name: name, variant: variant)
        if let known = functions[key], known.sharedBytes >= sharedBytes { return known.handle }
        // Loading a module is nothing to record; the shared memory of a function that is there is a word to the driver.
        if functions[key] == nil, device.stopsRecording("a kernel that is not loaded") { return nil }
        do {
            let handle = try functions[key]?.handle ?? load(name, variant)
            // More than the 48 KiB that every card gives must be asked for.
            if sharedBytes > 48 << 10 {
                guard sharedBytes <= device.properties.sharedBytesPerBlock else {
                    throw CUDAError.unsupported("\(name) with \(sharedBytes) bytes of shared memory on \(device.properties.name)")
                }
                device.check("cuFuncSetAttribute", device.driver.cuFuncSetAttribute(handle, 8, Int32(sharedBytes)))
            }
            functions[key] = Function(handle: handle, sharedBytes: max(sharedBytes, 48 << 10))
            return handle
        } catch {
            if !device.stopsRecording("\(name)") { device.fail(error as? CUDAError ?? .failed(call: name, reason: "\(error)")) }
        }
        return nil
    }

    private func load(_ name: String, _ variant: Variant) throws -> UnsafeMutableRawPointer {
        guard let entry = table[name], let source = files[entry.file] else { throw CUDAError.unsupported("the kernel \(name)") }
        let key = ModuleKey(file: entry.file, variant: variant)
        device.bind()
        if modules[key] == nil {
            let cubin = try compiler.compiled(
                file: entry.file, source: source, headers: headers, options: ["--std=c++17"] + variant.options)
            var module: UnsafeMutableRawPointer?
            let result = cubin.withUnsafeBytes { device.driver.cuModuleLoadData(&module, $0.baseAddress) }
            guard result == 0, let module else {
                if case .lost(let call, let reason) = CUDADevice.error(device.driver, "cuModuleLoadData", result) {
                    throw CUDAError.lost(call: call, reason: reason)
                }
                var version: Int32 = 0
                _ = device.driver.cuDriverGetVersion(&version)
                throw CUDAError.notLoaded(
                    file: entry.file, driver: CUDALibraries.text(version), compiler: compiler.version,
                    reason: CUDADevice.text(device.driver, result))
            }
            modules[key] = module
        }
        var function: UnsafeMutableRawPointer?
        let result = device.driver.cuModuleGetFunction(&function, modules[key], name)
        guard result == 0, let function else {
            throw CUDAError.failed(call: "cuModuleGetFunction(\(name))", reason: CUDADevice.text(device.driver, result))
        }
        return function
    }
}

/// One line of kernels.tsv.
struct KernelEntry {
    let name: String
    let file: String
    /// Letters of the defines that the file wants: E, D, M.
    let defines: Set<String>
    /// As the table says it: a number, or a formula.
    let block, grid, shared: String
    /// "const E *x", "i64 rows", ...
    let parameters: [String]

    static func table() -> [String: KernelEntry] {
        var entries: [String: KernelEntry] = [:]
        let lines = String(cString: tb_cuda_kernel_table()).split(separator: "\n")
        for line in lines where !line.hasPrefix("#") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count >= 7 else { continue }
            let parameters = fields[6].split(separator: ",").map { String($0.drop { $0 == " " }) }
            entries[fields[0]] = KernelEntry(
                name: fields[0], file: fields[1], defines: Set(fields[2].split(separator: ",").map(String.init)).subtracting(["-"]),
                block: fields[3], grid: fields[4], shared: fields[5], parameters: parameters)
        }
        return entries
    }
}
