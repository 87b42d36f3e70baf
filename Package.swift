// swift-tools-version: 6.0
import PackageDescription

/// One folder in Sources is one target, and arrows point down only: a target never imports one that is listed after it.
/// `swift build -c release` makes two programs: `tuneboard` and `tuneboard-bench`.

let cKernelSettings: [CSetting] = [.unsafeFlags(["-O3", "-fno-math-errno"])]

let package = Package(
    name: "Tuneboard",
    products: [
        .executable(name: "tuneboard", targets: ["tuneboard"]),
        .executable(name: "tuneboard-bench", targets: ["tuneboard-bench"]),
    ],
    targets: [
        // The operating system and the libraries underneath.
        .target(name: "CPlatform"),
        .target(name: "CKernels", cSettings: cKernelSettings),
        // CUDA text as bytes of the binary; NVRTC compiles it at run time, and nothing here needs CUDA.
        .target(name: "CUDAKernels", exclude: ["text", "kernels.tsv"]),
        .target(
            name: "CNcurses",
            cSettings: [.define("NCURSES_WIDECHAR", to: "1"), .define("_XOPEN_SOURCE_EXTENDED"), .define("_GNU_SOURCE")],
            linkerSettings: [.linkedLibrary("ncursesw"), .linkedLibrary("tinfo")]),
        .target(name: "CCUDA", linkerSettings: [.linkedLibrary("dl")]),
        .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CYAML", providers: [.apt(["libyaml-dev"])]),

        // The bottom row: files and clocks, formats, arguments, what jobs say.
        .target(name: "Platform", dependencies: ["CPlatform"]),
        .target(name: "Formats", dependencies: ["Platform", "CPlatform", "CYAML"]),
        .target(name: "Events", dependencies: ["Platform"]),
        .target(name: "Configuration", dependencies: ["Formats", "Platform"]),

        // The engine.
        .target(name: "Tensors", dependencies: ["CKernels", "COpenBLAS", "CCUDA", "CUDAKernels", "Platform"]),
        .target(name: "Tokenizers", dependencies: ["Formats", "Platform", "CPlatform"]),
        .target(name: "Models", dependencies: ["Tensors", "Tokenizers", "Formats", "Platform"]),
        .target(name: "Datasets", dependencies: ["Tokenizers", "Configuration", "Formats", "CKernels", "Platform"]),
        .target(name: "Generation", dependencies: ["Models", "Tokenizers", "Tensors", "Configuration", "Formats", "Platform"]),
        .target(
            name: "Evaluation",
            dependencies: ["Models", "Datasets", "Generation", "Tokenizers", "Tensors", "Configuration", "Events", "Formats", "Platform"]),
        .target(
            name: "Training",
            dependencies: [
                "Evaluation", "Models", "Datasets", "Generation", "Tokenizers", "Tensors", "Configuration", "Events", "Formats", "Platform",
            ]),
        .target(
            name: "Exporting",
            dependencies: ["Generation", "Models", "Tokenizers", "Tensors", "Configuration", "Events", "Formats", "Platform"]),
        .target(
            name: "Runs",
            dependencies: [
                "Training", "Evaluation", "Exporting", "Generation", "Datasets", "Models", "Tokenizers", "Tensors", "Configuration",
                "Events", "Formats", "Platform", "CPlatform",
            ]),

        // The dashboard.
        .target(name: "Terminal", dependencies: ["CNcurses", "Platform"]),
        .target(name: "Board", dependencies: ["Terminal", "Runs", "Configuration", "Events", "Formats", "Platform"]),

        // The programs.
        .executableTarget(
            name: "tuneboard",
            dependencies: [
                "Board", "Runs", "Models", "Generation", "Tensors", "Tokenizers", "Datasets", "Terminal", "Configuration", "Events", "Formats", "Platform",
                "CPlatform",
            ]),
        .executableTarget(
            name: "tuneboard-bench",
            dependencies: [
                "Board", "Terminal", "Training", "Datasets", "Generation", "Models", "Tokenizers", "Tensors", "CKernels", "COpenBLAS", "Formats", "Platform",
            ]),

        // Tests.
        .testTarget(name: "PlatformTests", dependencies: ["Platform"]),
        .testTarget(name: "FormatsTests", dependencies: ["Formats"]),
        .testTarget(name: "ConfigurationTests", dependencies: ["Configuration"]),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors", "CKernels", "Platform"]),
        // The CUDA kernels' own text, run on the CPU, behind a driver that is not there.
        .target(
            name: "KernelEmulator", dependencies: ["CUDAKernels", "CKernels"], path: "Tests/KernelEmulator",
            cxxSettings: [.headerSearchPath("../../Sources/CUDAKernels/text"), .unsafeFlags(["-O2"])]),
        .target(
            name: "FakeCUDA", dependencies: ["CCUDA", "CUDAKernels", "KernelEmulator"], path: "Tests/FakeCUDA",
            linkerSettings: [.linkedLibrary("openblas")]),
        .testTarget(
            name: "CUDATests",
            dependencies: [
                "Training", "Evaluation", "Generation", "Datasets", "Tokenizers", "Models", "Configuration", "Events", "Formats", "Tensors", "FakeCUDA",
                "KernelEmulator", "CUDAKernels", "CCUDA", "Platform",
            ]),
        .testTarget(name: "TokenizersTests", dependencies: ["Tokenizers"]),
        .testTarget(
            name: "ModelsTests",
            dependencies: [
                "Models", "Generation", "Exporting", "Tokenizers", "Tensors", "Configuration", "Events", "Formats", "Platform",
            ]),
        .testTarget(name: "DatasetsTests", dependencies: ["Datasets"]),
        .testTarget(name: "TrainingTests", dependencies: ["Training", "Evaluation"]),
        .testTarget(name: "RunsTests", dependencies: ["Runs", "Configuration", "Events", "Formats", "Platform"]),
        .testTarget(name: "TerminalTests", dependencies: ["Terminal", "CNcurses"]),
        .testTarget(
            name: "BoardTests",
            dependencies: ["Board", "Runs", "Training", "Datasets", "Models", "Tokenizers", "Terminal", "Configuration", "Events", "Platform"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
