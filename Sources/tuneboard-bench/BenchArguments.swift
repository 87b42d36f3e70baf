/// The arguments of a benchmark: `--name value` pairs, every one with a default.

struct BenchArguments {
    private var values: [String: String] = [:]
    private(set) var problem: String?

    init(_ arguments: [String], known: [String]) {
        var index = 0
        while index < arguments.count {
            let name = arguments[index].hasPrefix("--") ? String(arguments[index].dropFirst(2)) : arguments[index]
            guard known.contains(name), index + 1 < arguments.count else {
                problem = "\(arguments[index]): expected one of " + known.map { "--\($0) VALUE" }.joined(separator: ", ")
                return
            }
            values[name] = arguments[index + 1]
            index += 2
        }
    }

    func integer(_ name: String, _ fallback: Int) -> Int { values[name].flatMap { Int($0) } ?? fallback }
    func text(_ name: String, _ fallback: String) -> String { values[name] ?? fallback }
}

/// Numbers of repeated measurements.
enum Statistics {
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
