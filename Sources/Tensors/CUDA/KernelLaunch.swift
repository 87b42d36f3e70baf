import CCUDA

/// What a kernel is given, in the order and types of its parameters.
enum KernelArgument {
    /// A pointer into the card's memory; 0 for none.
    case address(UInt64)
    case int(Int32)
    case long(Int64)
    case unsigned(UInt64)
    case float(Float)
    case double(Double)
    /// A structure that the kernel takes by value, in words of eight bytes.
    case words([UInt64])

    static func count(_ value: Int) -> KernelArgument { .long(Int64(value)) }

    /// The number of a floating type in the kernels' `type` parameters.
    static func type(_ type: DType) -> KernelArgument { .int(number(type)) }

    static func number(_ type: DType) -> Int32 {
        switch type {
        case .bfloat16: 1
        case .float16: 2
        case .float32, .int32, .int64, .uint8: 0
        }
    }

    static func structure<Value>(_ value: Value) -> KernelArgument {
        var words = [UInt64](repeating: 0, count: (MemoryLayout<Value>.size + 7) / 8)
        withUnsafeBytes(of: value) { from in words.withUnsafeMutableBytes { $0.copyMemory(from: from) } }
        return .words(words)
    }

    var wordCount: Int {
        if case .words(let words) = self { return words.count }
        return 1
    }

    func write(to place: UnsafeMutablePointer<UInt64>) {
        switch self {
        case .address(let value), .unsigned(let value): place.initialize(to: value)
        case .int(let value): place.initialize(to: UInt64(UInt32(bitPattern: value)))
        case .long(let value): place.initialize(to: UInt64(bitPattern: value))
        case .float(let value): place.initialize(to: UInt64(value.bitPattern))
        case .double(let value): place.initialize(to: value.bitPattern)
        case .words(let words): for (index, word) in words.enumerated() { (place + index).initialize(to: word) }
        }
    }
}

/// How many blocks of how many threads.
struct LaunchShape: Equatable {
    var grid: (x: Int, y: Int, z: Int)
    var threads: Int
    /// Dynamic shared memory.
    var sharedBytes = 0

    init(grid x: Int, _ y: Int = 1, _ z: Int = 1, threads: Int, sharedBytes: Int = 0) {
        grid = (x, y, z)
        self.threads = threads
        self.sharedBytes = sharedBytes
    }

    static func == (a: LaunchShape, b: LaunchShape) -> Bool {
        a.grid == b.grid && a.threads == b.threads && a.sharedBytes == b.sharedBytes
    }
}

extension CUDADevice {
    /// Puts a kernel on the stream. Nothing to do is not sent: a grid must not be empty.
    func launch(_ function: UnsafeMutableRawPointer, name: String, _ shape: LaunchShape, _ arguments: [KernelArgument]) {
        guard !hasFailed, shape.grid.x > 0, shape.grid.y > 0, shape.grid.z > 0 else { return }
        bind()
        let count = arguments.count, words = arguments.reduce(0) { $0 + $1.wordCount }
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: max(1, words)) { values in
            withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: max(1, count)) { pointers in
                guard let first = values.baseAddress, let list = pointers.baseAddress else { return }
                var place = first
                for (index, argument) in arguments.enumerated() {
                    argument.write(to: place)
                    (list + index).initialize(to: UnsafeMutableRawPointer(place))
                    place += argument.wordCount
                }
                let result = driver.cuLaunchKernel(
                    function, UInt32(shape.grid.x), UInt32(shape.grid.y), UInt32(shape.grid.z), UInt32(shape.threads), 1, 1,
                    UInt32(shape.sharedBytes), stream, list, nil)
                check("kernel \(name)", result)
            }
        }
    }
}
