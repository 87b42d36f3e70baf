import CUDAKernels
import Testing

/// One line of kernels.tsv.
struct KernelLine: CustomTestStringConvertible {
    let name, file, defines, parameters: String

    var testDescription: String { name }

    static let all: [KernelLine] = String(cString: tb_cuda_kernel_table()).split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        return KernelLine(name: fields[0], file: fields[1], defines: fields[2], parameters: fields.last ?? "")
    }
}

/// The files that stand in the program.
enum KernelText {
    static let files: [(name: String, text: String)] = {
        var count: Int32 = 0
        guard let first = tb_cuda_files(&count) else { return [] }
        return (0..<Int(count)).map { (String(cString: first[$0].name), String(cString: first[$0].text)) }
    }()
    static var programs: [(name: String, text: String)] { files.filter { $0.name.hasSuffix(".cu") } }

    /// Kernels of a file with their parameters, blanks made one.
    static func kernels(_ text: String) -> [String: String] {
        var found: [String: String] = [:]
        for marker in ["KERNEL(", "BOUNDED_KERNEL("] {
            var rest = text[...]
            while let start = rest.range(of: "\n" + marker) {
                rest = rest[start.upperBound...]
                guard let nameEnd = rest.firstIndex(where: { $0 == "," || $0 == ")" }), let open = rest.range(of: ")("),
                    let close = rest[open.upperBound...].firstIndex(of: ")")
                else { break }
                let words = rest[open.upperBound..<close].split { $0 == " " || $0 == "\n" }
                found[String(rest[..<nameEnd])] = words.joined(separator: " ")
            }
        }
        return found
    }
}

extension Substring {
    /// Where `text` stands first.
    fileprivate func range(of text: String) -> Range<Index>? {
        let wanted = Array(text.utf8)
        var place = startIndex
        while place < endIndex {
            if self[place...].utf8.starts(with: wanted) { return place..<index(place, offsetBy: text.count) }
            place = index(after: place)
        }
        return nil
    }
}

@Suite struct KernelTextTests {
    @Test("The table lists every kernel with the parameters that its text has")
    func table() {
        var parameters: [String: String] = [:]
        for program in KernelText.programs {
            for (name, list) in KernelText.kernels(program.text) { parameters[program.name + " " + name] = list }
        }
        #expect(parameters.count > 60)
        #expect(Set(parameters.keys) == Set(KernelLine.all.map { $0.file + " " + $0.name }))
        for line in KernelLine.all { #expect(parameters[line.file + " " + line.name] == line.parameters, "\(line.name)") }
    }

    @Test("Programs include nothing but files that stand beside them")
    func includes() {
        let names = Set(KernelText.files.map(\.name))
        for file in KernelText.files {
            for line in file.text.split(separator: "\n") where line.hasPrefix("#include") {
                let name = line.split(separator: "\"")[1]
                #expect(names.contains(String(name)), "\(file.name): \(line)")
            }
        }
    }
}
