// The frame of the programs in which bugs are planted: a device with a stream, and how many things went
// wrong.
#pragma once
#include <cstdio>

#include "kernels/device.h"
#include "kernels/launcher.h"

namespace msn::kernels {

struct Program {
  const DeviceFunctions device = device_functions();
  int failures = 0;
  DeviceDescription description;
  Launch where;

  Program() {
    checked(device.describe(0, &description));
    where.device = &description.facts;
    checked(device.create_stream(&where.stream));
  }
  void checked(Status status) { failures += status != 0; }
  // Says how it went; the exit status.
  int verdict() const {
    std::printf(failures == 0 ? "right\n" : "wrong: %d failures\n", failures);
    return failures == 0 ? 0 : 1;
  }
};

}  // namespace msn::kernels
