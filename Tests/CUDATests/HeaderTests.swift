import Platform
import Testing

/// The tables of functions against NVIDIA's own headers, where those are installed (Debian: nvidia-cuda-dev). TUNEBOARD_TEST_CUDA_HEADERS
/// may name folders of another version, parted by colons: of Python wheels for instance.
@Suite struct HeaderTests {
    private static let file = Path.join(Path.directory(Path.directory(#filePath)), "CUDAHeaders/prototypes.cpp")
    private static let shim = Path.join(Path.directory(Path.directory(Path.directory(#filePath))), "Sources/CCUDA/include")

    /// Sets of folders, each with a cuda.h.
    private static let sets: [[String]] = {
        let named = Environment.value("TUNEBOARD_TEST_CUDA_HEADERS").map { $0.split(separator: ":").map(String.init) } ?? []
        return [named, ["/usr/include"], ["/usr/local/cuda/include"]].filter { $0.contains { FileSystem.exists(Path.join($0, "cuda.h")) } }
    }()

    private func check(_ folders: [String], shim: String) throws -> (isRight: Bool, text: String) {
        let (ending, output) = try ProcessRunner.run(
            ["clang++", "-std=c++17", "-fsyntax-only", "-I", shim] + folders.flatMap { ["-I", $0] } + [Self.file])
        return (ending == .exited(0), String(decoding: output.prefix(4000), as: UTF8.self))
    }

    @Test("every prototype and number is that of NVIDIA's headers", .enabled(if: !sets.isEmpty, "CUDA's headers are not here"), arguments: sets)
    func prototypes(folders: [String]) throws {
        let (isRight, text) = try check(folders, shim: Self.shim)
        #expect(isRight, "\(text)")
    }

    @Test("a prototype that is wrong is named", .enabled(if: !sets.isEmpty, "CUDA's headers are not here"))
    func wrong() throws {
        let folder = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(folder) }
        let right = try FileSystem.readText(Path.join(Self.shim, "CCUDA.h")), before = "(int *device, int ordinal)", parts = right.split(separator: before)
        try #require(parts.count == 2)
        try FileSystem.writeAtomically(Path.join(folder, "CCUDA.h"), text: parts[0] + "(int *device, long ordinal)" + parts[1])
        let (isRight, text) = try check(Self.sets[0], shim: folder)
        #expect(!isRight && text.contains("cuDeviceGet"), "\(text)")
    }
}
