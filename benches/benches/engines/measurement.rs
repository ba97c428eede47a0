//! Wall time, shown for each instruction where a benchmark says how many it runs.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// Measures wall time; reports nanoseconds per instruction for [`Throughput::Elements`].
pub struct PerInstruction(pub WallTime);

impl Measurement for PerInstruction {
    type Intermediate = <WallTime as Measurement>::Intermediate;
    type Value = <WallTime as Measurement>::Value;

    fn start(&self) -> Self::Intermediate {
        self.0.start()
    }

    fn end(&self, started: Self::Intermediate) -> Self::Value {
        self.0.end(started)
    }

    fn add(&self, a: &Self::Value, b: &Self::Value) -> Self::Value {
        self.0.add(a, b)
    }

    fn zero(&self) -> Self::Value {
        self.0.zero()
    }

    fn to_f64(&self, value: &Self::Value) -> f64 {
        self.0.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &Formatter
    }
}

/// Values are nanoseconds.
struct Formatter;

impl Formatter {
    fn scale(values: &mut [f64], by: f64) {
        for value in values {
            *value *= by;
        }
    }
}

impl ValueFormatter for Formatter {
    fn scale_values(&self, _typical: f64, values: &mut [f64]) -> &'static str {
        Self::scale(values, 1e-6);
        "ms"
    }

    fn scale_throughputs(
        &self,
        typical: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        match throughput {
            Throughput::Elements(instructions) => {
                Self::scale(values, 1.0 / *instructions as f64);
                "ns/instruction"
            }
            _ => self.scale_values(typical, values),
        }
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "ns"
    }
}
