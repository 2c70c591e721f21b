// empty: nothing at all, one invocation; what a submit with a readback costs by itself.
@compute @workgroup_size(1)
fn empty() {}
