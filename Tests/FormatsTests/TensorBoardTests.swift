import Platform
import Testing

@testable import Formats

@Suite struct TensorBoardTests {
    @Test func recordsAreThoseOfTensorBoard() throws {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        let writer = try TensorBoardWriter(directory: Path.join(directory, "runs"), wallTime: 1.5)
        try writer.add(tag: "train/loss", value: 0.25, step: 300, wallTime: 2.5)
        writer.close()
        #expect(try FileSystem.readBytes(writer.path) == FileSystem.readBytes(fixture("scalar.tfevents")))
        #expect(Path.name(writer.path).hasPrefix("events.out.tfevents.1."))
    }

    @Test func twoFilesOfOneSecondDoNotMeet() throws {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        let first = try TensorBoardWriter(directory: directory, wallTime: 7)
        let second = try TensorBoardWriter(directory: directory, wallTime: 7)
        #expect(first.path != second.path)
    }
}
