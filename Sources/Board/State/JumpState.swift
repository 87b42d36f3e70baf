/// Labels over everything that can be jumped to; typing one jumps.
public struct JumpState: Sendable {
    public let targets: [HitTarget]
    public let labels: [String]
    public var typed = ""

    /// The easiest letters first; two letters where one is not enough.
    private static let letters = Array("asdfghjklweruioxcvnmzpqtyb")

    init(targets: [HitTarget]) {
        let limit = Self.letters.count * Self.letters.count
        self.targets = Array(targets.prefix(limit))
        let letters = Self.letters
        if self.targets.count <= letters.count {
            labels = letters.prefix(self.targets.count).map { String($0) }
        } else {
            labels = (0..<self.targets.count).map { String([letters[$0 / letters.count], letters[$0 % letters.count]]) }
        }
    }
}
