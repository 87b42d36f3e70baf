import Formats
import Platform

/// A file of rows cut in two, to train on and to evaluate with. The rows held back are those that `val_size` of a run with the same seed
/// holds back of that file; both parts keep the order of the file.
public struct FileSplit {
    public var source: String
    /// A share below 1, or a number of rows.
    public var size: Double
    public var seed: UInt64 = 42
    /// Whether outputs that exist are replaced; the source never is.
    public var overwrites = false

    public init(source: String, size: Double) {
        self.source = source
        self.size = size
    }

    /// - Returns: how many rows went where.
    public func run(train: String, held: String) throws(DatasetError) -> (train: Int, held: Int) {
        if Path.absolute(train) == Path.absolute(held) { throw .badSetting(argument: "held_output", reason: "it is the same file as output") }
        guard size > 0 else { throw .badSetting(argument: "val_size", reason: "it is \(NumberText.significant(size, digits: 6)), expected a share or a number of rows") }
        let file = try RowFile(path: source, limit: 0)
        var count = 0
        var scanner = try file.scanner()
        while try scanner.next() != nil { count += 1 }
        let rows = (0..<count).map { RowReference(dataset: 0, row: $0) }
        var isHeld = [Bool](repeating: false, count: count)
        for row in try RowSelection.split(rows, size: size, seed: seed).held { isHeld[row.row] = true }
        let outputs = (train: try RowWriter(path: train, sources: [source], overwrites: overwrites), held: try RowWriter(path: held, sources: [source], overwrites: overwrites))
        scanner = try file.scanner()
        var row = 0
        while row < count, let span = try scanner.next() {
            let writer = isHeld[row] ? outputs.held : outputs.train
            if let bytes = file.json(span), !bytes.contains(0x0A) {
                try writer.write(source: bytes)
            } else {
                let value: JSONValue
                do { value = try file.value(span) } catch { throw .badFile(sentence: error.description) }
                try writer.write(value)
            }
            row += 1
        }
        try outputs.train.finish()
        try outputs.held.finish()
        return (outputs.train.count, outputs.held.count)
    }
}
