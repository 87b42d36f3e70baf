import CCUDA
import Glibc
import Platform

/// The functions of NVIDIA's libraries that this machine has, and what was found where. Nothing is linked: without the libraries
/// the program starts and computes on the processor.
public final class CUDALibraries: @unchecked Sendable {
    /// What became of one library.
    public struct Finding: Sendable {
        public let library: CUDALibrary
        /// The file, or the name under which the system found it; nil when there is none.
        public let path: String?
        /// "12.4", when the library tells.
        public let version: String?
        /// Why it cannot be used.
        public let problem: String?
    }

    let driver: tb_cuda_driver
    let compiler: tb_nvrtc
    let products: tb_cublaslt
    let management: tb_nvml
    public let findings: [Finding]

    /// Functions of one's own, for tests. A table without functions stands for a library that is not there.
    public init(
        driver: tb_cuda_driver = tb_cuda_driver(), compiler: tb_nvrtc = tb_nvrtc(), products: tb_cublaslt = tb_cublaslt(),
        management: tb_nvml = tb_nvml()
    ) {
        self.driver = driver
        self.compiler = compiler
        self.products = products
        self.management = management
        func finding(_ library: CUDALibrary, _ isThere: Bool) -> Finding {
            Finding(library: library, path: isThere ? "given" : nil, version: nil, problem: isThere ? nil : "not given")
        }
        findings = [
            finding(.driver, driver.cuInit != nil), finding(.compiler, compiler.nvrtcVersion != nil),
            finding(.products, products.cublasLtCreate != nil), finding(.management, management.nvmlInit_v2 != nil),
        ]
    }

    /// Looks for all of them. The compiler and cuBLASLt are wanted in a version that the driver knows: the newest that is not
    /// newer than it, and a newer one only when there is no other.
    public init(search: LibrarySearch) {
        var findings: [Finding] = []
        var driver = tb_cuda_driver(), compiler = tb_nvrtc(), products = tb_cublaslt(), management = tb_nvml()
        findings.append(Self.load(.driver, search.candidates(["libcuda.so.1", "libcuda.so"]), "cuInit") { tb_cuda_driver_load($0, &driver) })
        let known = Self.driverVersion(driver)
        let majors = Self.majorVersions(driver: known)
        findings.append(
            Self.load(
                .compiler, search.candidates(majors.map { $0 == 11 ? "libnvrtc.so.11.2" : "libnvrtc.so.\($0)" } + ["libnvrtc.so"]), "nvrtcVersion"
            ) { tb_nvrtc_load($0, &compiler) })
        findings.append(
            Self.load(.products, search.candidates(majors.map { "libcublasLt.so.\($0)" } + ["libcublasLt.so"]), "cublasLtCreate") {
                tb_cublaslt_load($0, &products)
            })
        findings.append(
            Self.load(.management, search.candidates(["libnvidia-ml.so.1", "libnvidia-ml.so"]), "nvmlInit_v2") {
                tb_nvml_load($0, &management)
            })
        self.driver = driver
        self.compiler = compiler
        self.products = products
        self.management = management
        let versions: [CUDALibrary: String?] = [
            .driver: known.map(Self.text), .compiler: Self.compilerVersion(compiler).map { "\($0.major).\($0.minor)" },
            .products: Self.productsVersion(products),
        ]
        self.findings = findings.map {
            Finding(library: $0.library, path: $0.path, version: versions[$0.library] ?? nil, problem: $0.problem)
        }
    }

    /// The management library alone, for those who only watch: the others are large.
    public static func management(search: LibrarySearch = LibrarySearch()) -> CUDALibraries {
        var management = tb_nvml()
        _ = load(.management, search.candidates(["libnvidia-ml.so.1", "libnvidia-ml.so"]), "nvmlInit_v2") { tb_nvml_load($0, &management) }
        return CUDALibraries(management: management)
    }

    public func finding(_ library: CUDALibrary) -> Finding? { findings.first { $0.library == library } }

    /// Throws for the first library without which a card cannot be used.
    func requireAll() throws(CUDAError) {
        let isThere: [(CUDALibrary, Bool)] = [
            (.driver, driver.cuInit != nil), (.compiler, compiler.nvrtcVersion != nil), (.products, products.cublasLtCreate != nil),
        ]
        for (library, isThere) in isThere where !isThere {
            throw .missingLibrary(library, reason: finding(library)?.problem ?? "not found")
        }
    }

    /// Major versions in the order of preference for a driver that supports CUDA `driver` (12040 is 12.4).
    static func majorVersions(driver: Int32?) -> [Int] {
        let all = [13, 12, 11]
        guard let driver else { return all }
        let known = Int(driver) / 1000
        return all.filter { $0 <= known } + all.filter { $0 > known }.reversed()
    }

    /// "12.4" for 12040.
    static func text(_ version: Int32) -> String { "\(version / 1000).\(version % 1000 / 10)" }

    private static func driverVersion(_ driver: tb_cuda_driver) -> Int32? {
        var version: Int32 = 0
        guard let ask = driver.cuDriverGetVersion, ask(&version) == 0, version > 0 else { return nil }
        return version
    }

    static func compilerVersion(_ compiler: tb_nvrtc) -> (major: Int32, minor: Int32)? {
        var major: Int32 = 0, minor: Int32 = 0
        guard let ask = compiler.nvrtcVersion, ask(&major, &minor) == 0 else { return nil }
        return (major, minor)
    }

    /// cuBLASLt counts 12.4.5 as 120405, and 11.x as 111103.
    private static func productsVersion(_ products: tb_cublaslt) -> String? {
        guard let ask = products.cublasLtGetVersion else { return nil }
        let number = ask()
        return "\(number / 10000).\(number / 100 % 100).\(number % 100)"
    }

    private static func load(
        _ library: CUDALibrary, _ candidates: [String], _ symbol: String, _ fill: (UnsafeMutableRawPointer) -> UnsafePointer<CChar>?
    ) -> Finding {
        var problem: String?
        for path in candidates {
            guard let handle = open(path, &problem) else { continue }
            if let missing = fill(handle) {
                // A table with a hole is of no use; the next candidate overwrites it.
                problem = "\(path) has no \(String(cString: missing)); it is too old"
                tb_library_close(handle)
                continue
            }
            return Finding(library: library, path: file(handle, symbol) ?? path, version: nil, problem: nil)
        }
        return Finding(library: library, path: nil, version: nil, problem: problem ?? "not found under any known name or folder")
    }

    /// A file that exists and cannot be opened is worth a word; a name that the system does not know is not.
    private static func open(_ path: String, _ problem: inout String?) -> UnsafeMutableRawPointer? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { reason in
            if let handle = tb_library_open(path, reason.baseAddress, 512) { return handle }
            if Path.isAbsolute(path), let text = reason.baseAddress { problem = String(cString: text) }
            return nil
        }
    }

    private static func file(_ handle: UnsafeMutableRawPointer, _ symbol: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { path in
            guard let to = path.baseAddress, tb_library_path(handle, symbol, to, 4096) != 0 else { return nil }
            return String(cString: to)
        }
    }
}
