import CCUDA
import Platform

/// What `tuneboard env` says about cards: which there are, what libraries were found where, and why a card cannot be used.
public struct CUDAReport {
    public struct Card {
        public let ordinal: Int
        public let properties: CUDADeviceProperties
        /// "NVIDIA H100 80GB HBM3, sm_90, 79.1 GiB, 132 multiprocessors, 43 C, 68 of 700 W"
        public let text: String
    }

    public let findings: [CUDALibraries.Finding]
    public let cards: [Card]
    /// Why no card can be used; nil when one can.
    public let problem: String?

    public init(libraries: CUDALibraries = CUDALibraries(search: LibrarySearch())) {
        findings = libraries.findings
        var cards: [Card] = [], problem: String?
        do {
            for ordinal in 0..<(try CUDADevice.count(libraries)) {
                var device: Int32 = 0
                guard libraries.driver.cuDeviceGet(&device, Int32(ordinal)) == 0 else { continue }
                let properties = try CUDADevice.properties(libraries.driver, device, ordinal: ordinal)
                cards.append(Card(ordinal: ordinal, properties: properties, text: Self.text(properties, libraries)))
                if properties.architecture < CUDADevice.oldestArchitecture {
                    problem = CUDAError.tooOld(
                        device: properties.name, architecture: properties.architecture, needed: CUDADevice.oldestArchitecture
                    ).description
                }
            }
            try libraries.requireAll()
        } catch {
            problem = "\(error)"
        }
        self.cards = cards
        self.problem = problem
    }

    private static func text(_ card: CUDADeviceProperties, _ libraries: CUDALibraries) -> String {
        var parts = [
            card.name, "sm_\(card.architecture)", NumberText.bytes(Int64(card.totalBytes)), "\(card.multiprocessorCount) multiprocessors",
        ]
        if let monitor = GPUMonitor(libraries: libraries, busIdentifier: card.busIdentifier) {
            let now = monitor.reading()
            if let used = now.usedBytes { parts.append("\(NumberText.bytes(used)) in use") }
            if let temperature = now.temperature { parts.append("\(temperature) C") }
            if let power = now.powerWatts { parts.append("\(NumberText.fixed(power, digits: 0)) W") }
            if let version = monitor.driverVersion { parts.append("driver \(version)") }
        }
        return parts.joined(separator: ", ")
    }
}
