/* The control: each process follows its own gradients alone. LD_PRELOAD puts it before MPI's. */
#include <mpi.h>
#include <string.h>

int MPI_Allreduce(const void *own, void *sum, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    int size;
    (void)op;
    (void)comm;
    MPI_Type_size(type, &size);
    memcpy(sum, own, (size_t)count * (size_t)size);
    return MPI_SUCCESS;
}
